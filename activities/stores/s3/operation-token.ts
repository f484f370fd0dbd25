/** The metadata field that says which operation has written an object. */
export const operationToken = 'operation';
/** The metadata field that says whose it is, percent-encoded. A notification of the store names the object alone. */
export const tenantToken = 'tenant';
