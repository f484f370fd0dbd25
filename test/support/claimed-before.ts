import type { World } from './world.ts';

/**
 * As if claims with such keys had been made `ago` milliseconds before they were: so much of their flow's patience is gone.
 * @param name of the trigger, one for each call
 * @param keys a pattern of SQL's `like`
 */
export async function claimedBefore(world: World, name: string, keys: string, ago: number): Promise<void> {
  await world.sql(`create function hapax.${name}() returns trigger language plpgsql as $$ begin
      new.created_at = now() - interval '${ago} milliseconds'; return new; end $$`);
  await world.sql(`create trigger ${name} before insert on hapax.operation for each row
      when (new.key like '${keys}') execute function hapax.${name}()`);
}
