import { books } from './books.ts';
import { cancellation } from './cancellation.ts';
import { checkout } from './checkout.ts';
import { derive } from './derive.ts';
import { creditFlow } from './credit.flow.ts';
import { erasure } from './erasure.ts';
import { toldFlows, withUntold } from './engine/told-flows.ts';
import { refund } from './refund.ts';
import { resendFlow } from './resend.flow.ts';
import { shipFlow } from './ship.flow.ts';
import { signup } from './signup.ts';
import { upload } from './upload.ts';

/** Every flow that Temporal tells, with its story. */
export const operations = toldFlows(checkout, refund, cancellation, books, upload, derive, erasure, signup);

/** Every flow. Routes, metrics, documents and the fault matrix follow from this list. */
export const flows = withUntold(operations, shipFlow, creditFlow, resendFlow);
