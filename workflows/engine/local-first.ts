import { news, type Story, tellPeople } from './story.ts';
import { askedToWait, metBy, transient } from './thrown.ts';

/** The story is not told of each try, which would make its history grow without end. */
const whereTries =
  'It is asked again until the answer is clear. "Pending activities" has the number of tries, what the last one met and when the next one is; `trouble` of the operation has the same.';

/**
 * Tries beside the workflow, which costs it no task, and where that gives no outcome as an activity of its own, which
 * people see. A pause that the outside has asked for is kept between the two; news may end it early.
 */
export async function localFirst<Reply>(
  story: Story,
  { step, says }: { readonly step: string; readonly says: string },
  near: () => Promise<Reply>,
  far: () => Promise<Reply>,
): Promise<Reply> {
  try {
    return await near();
  } catch (error) {
    if (!transient(error)) throw error;
    const seen = story.engine.wakes;
    tellPeople(story, `${says}: no clear answer yet. ${metBy(error)}\n\n${whereTries}`, { step });
    const pause = askedToWait(error);
    if (pause !== undefined) await news(story, seen, pause);
    return await far();
  }
}
