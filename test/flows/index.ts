import { dispatch } from '../../workflows/temporal/dispatch.ts';
import { ownOperations } from './own-operations.ts';

export { sentinel } from '../../workflows/temporal/sentinel.ts';

/** The stories that the test suite's own workers run. */
export default dispatch(ownOperations);
