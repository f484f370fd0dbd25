/** By what a person looks for a workflow. Keyword, since a Text attribute cannot be searched exactly. */
export const searchAttributes = ['HapaxTenant', 'HapaxFlow', 'HapaxKey', 'HapaxStep'] as const;
