import { Readable } from 'node:stream';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import { Uploads } from '../../../client/uploads/uploads.ts';
import { partLimits } from '../../../workflows/operation/part-limits.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { readConfig } from '../../../workers/config.ts';
import { connectS3, s3Settings } from '../../../workers/connect-s3.ts';
import { picture } from '../upload-lane.ts';
import type { TicketOffice } from '../ticket-office.ts';
import type { World } from '../world.ts';
import type { UnhurriedGateway } from './unhurried-gateway.ts';

type Request = Readonly<Record<string, unknown>>;
type Outside = { readonly world: World; readonly office: TicketOffice };

/** What a flow's caller knows that its declaration does not say. */
type Caller = {
  /** What the example cannot hold, such as the address of a fake. */
  readonly request?: (outside: Outside) => Request;
  /** Brings what its wait is for; without it, the example of the declared evidence is brought. */
  readonly bring?: (connected: UnhurriedGateway, record: OperationRecord, outside: Outside) => Promise<void>;
};

/** Zeros behind a picture are no part of it, and make the whole too large for one piece. */
const bytes = Buffer.concat([await picture(), Buffer.alloc(partLimits.smallest)]);

const booked: Caller = { request: ({ office }) => ({ office: office.url }) };

/** A flow needs a line here where it asks a fake, or where what it waits for has a way in of its own. */
const callers: Readonly<Record<string, Caller>> = {
  bookingRefundable: booked,
  bookingFinal: booked,
  bookingVoidable: booked,
  bookingConfirmed: booked,
  // A picture, so that its thumbnails are made.
  upload: {
    request: () => ({ name: 'greeting.png', type: 'image/png', size: bytes.length }),
    async bring({ gateway, database }, record, { world }) {
      const store = connectS3(readConfig(s3Settings, world.env));
      try {
        const uploads = new Uploads({ database, objects: store, gateway, log: console.error });
        // In two pieces, so that they have to be put together.
        for (const [at, end] of [
          [0, partLimits.smallest],
          [partLimits.smallest, bytes.length],
        ] as const) {
          const promised = { length: end - at, ends: false, digest: undefined };
          const piece = { stream: Readable.from([bytes.subarray(at, end)]), offset: at, size: undefined, promised };
          const { kind } = await uploads.appends.append(record, { method: 'tus', ...piece });
          if (kind !== 'appended') throw new Error(`The bytes of ${record.id} were not taken: ${kind}`);
        }
      } finally {
        store.close();
      }
    },
  },
};

/** The first example of a request; undefined where the flow has none, and is not in the matrix. */
export function exampleOf({ request }: AnyFlow): Request | undefined {
  return (request.meta()?.examples as readonly Request[] | undefined)?.[0];
}

/** What a caller of the flow asks for. Tenants are apart, so that everyone may ask for the same. */
export function requestOf(flow: AnyFlow, outside: Outside): Request {
  return { ...exampleOf(flow), ...callers[flow.name]?.request?.(outside) };
}

/** Brings whatever the flow waits for. */
export async function bringAll(
  flow: AnyFlow,
  connected: UnhurriedGateway,
  record: OperationRecord,
  outside: Outside,
): Promise<void> {
  for (const [name, step] of Object.entries(flow.steps)) {
    if (step.effect !== 'await') continue;
    const own = callers[flow.name]?.bring;
    if (own !== undefined) {
      await own(connected, record, outside);
      continue;
    }
    const [evidence] = (step.evidence.meta()?.examples ?? []) as readonly Request[];
    if (evidence === undefined)
      throw new Error(`Give the evidence of ${flow.name}.${name} an example, or its caller a way`);
    await connected.gateway.arrive(flow as never, record, name as never, evidence as never);
  }
}
