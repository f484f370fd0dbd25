/** The metadata field that says which operation has written an object. */
export const operationToken = 'operation';
