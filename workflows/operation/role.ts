/** The roles of callers. The same words stand in the SQL check of `api_key` and in the settings. */
export const roles = ['viewer', 'caller', 'operator'] as const;

/**
 * - `viewer` looks at the operations of its tenant and environment, whatever their subject, and changes nothing.
 * - `caller` begins, looks at and cancels operations of its own subject.
 * - `operator` is a caller that also looks at and cancels the operations of every subject of its tenant and environment.
 */
export type Role = (typeof roles)[number];

/** Who may use a route: `people` are viewers and operators, who see every subject. */
export type RouteRole = Role | 'people';

/** Whether `role` may use a route that asks for at least `least`. */
export function mayActAs(role: Role, least: RouteRole): boolean {
  if (least === 'people') return role !== 'caller';
  return roles.indexOf(role) >= roles.indexOf(least);
}
