/**
 * The attributes by which a person searches for a workflow. They are Keyword, since a Text attribute cannot be
 * searched exactly.
 */
export const searchAttributes = ['HapaxTenant', 'HapaxFlow', 'HapaxKey', 'HapaxStep'] as const;
