import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import { Uploads } from '../../../client/uploads/uploads.ts';
import { partLimits } from '../../../workflows/operation/part-limits.ts';
import { checkoutFlow } from '../../../workflows/checkout.flow.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { readConfig } from '../../../workers/config.ts';
import { connectS3, s3Settings } from '../../../workers/connect-s3.ts';
import { putOnce } from '../../../activities/stores/s3/put-once.ts';
import { picture } from '../upload-lane.ts';
import { sha256 } from '../uploader.ts';
import { paidOrder } from '../paid-order.ts';
import type { TicketOffice } from '../ticket-office.ts';
import type { World } from '../world.ts';
import type { UnhurriedGateway } from './unhurried-gateway.ts';

type Request = Readonly<Record<string, unknown>>;
type Outside = { readonly world: World; readonly office: TicketOffice };

/** What a flow's caller knows that its declaration does not say. */
type Caller = {
  /** What the example cannot hold, such as the address of a fake. */
  readonly request?: (outside: Outside, tenant: string) => Request;
  /** Makes what a tenant has to have before it may ask. Repeatable. @returns what its request says of it */
  readonly prepare?: (world: World, tenant: string) => Promise<Request>;
  /** Brings what its wait is for; without it, the example of the declared evidence is brought. */
  readonly bring?: (connected: UnhurriedGateway, record: OperationRecord, outside: Outside) => Promise<void>;
};

const small = await picture();
/** Zeros behind a picture are no part of it, and make the whole too large for one piece. */
const bytes = Buffer.concat([small, Buffer.alloc(partLimits.smallest)]);

/** A content of the tenant's own. */
const contentOf = (tenant: string) => sha256(Buffer.from(tenant)).slice(0, 26);

const booked: Caller = { request: ({ office }) => ({ office: office.url }) };

/** A flow needs a line here where it asks a fake, or where what it waits for has a way in of its own. */
const callers: Readonly<Record<string, Caller>> = {
  bookingRefundable: booked,
  bookingFinal: booked,
  bookingVoidable: booked,
  bookingConfirmed: booked,
  books: {
    prepare: async (world, tenant) => ({
      payment: (await paidOrder(world, tenant, contentOf(`books of ${tenant}`))).payment,
    }),
  },
  cancellation: {
    prepare: async (world, tenant) => ({
      orderId: (await paidOrder(world, tenant, contentOf(`cancellation of ${tenant}`))).orderId,
    }),
  },
  refund: {
    prepare: async (world, tenant) => ({
      checkout: (await paidOrder(world, tenant, contentOf(`refund of ${tenant}`))).checkout,
    }),
  },
  // A card that asks for its buyer, who is at the bank's page as soon as there is one.
  checkout: {
    request: () => ({ paymentMethod: 'pm_card_threeDSecure2Required' }),
    async bring({ gateway }, record, { world }) {
      void confirmedAtTheBank(world, record.id);
      await gateway.arrive(checkoutFlow, record, 'authenticate', { paymentIntent: 'pi_4711' });
    },
  },
  // A picture whose thumbnails have failed.
  derive: {
    async prepare(world, tenant) {
      const [id, key] = [`cnt_${contentOf(tenant)}`, `uploads/op_${contentOf(tenant)}/whole-1`];
      const store = connectS3(readConfig(s3Settings, world.env));
      await putOnce(store, key, small, { type: 'image/png', metadata: {} });
      store.close();
      await world.sql(
        `insert into hapax.content (id, tenant, environment, dedup_scope, sha256, size, type, object_key)
         values ($1, $2, 'test', 'own', $3, $4, 'image/png', $5)`,
        ...[id, tenant, sha256(small), small.length, key],
      );
      await world.sql(
        `insert into hapax.derivative (content_id, tenant, name, state, files, code, detail)
         values ($1, $2, 'thumbnails', 'failed', '[]', 'step-failed', 'The media worker was away.')`,
        ...[id, tenant],
      );
      return { content: id };
    },
  },
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

/** Operations are killed and go on: the bank's question may come late, and where it is cancelled, never. */
async function confirmedAtTheBank(world: World, operation: string): Promise<void> {
  for (let n = 0; n < 1_200 && world.sandbox.running; n += 1) {
    const [asked] = await world.audit({ operation, type: 'payment_intent.requires_action' }).catch(() => []);
    if (asked !== undefined) {
      // Cancelled meanwhile, the payment asks no more.
      await world
        .sandboxControl('POST', `payment_intents/${asked.paymentIntent}/authenticate`, {})
        .catch(() => undefined);
      return;
    }
    await pause(200);
  }
}

/** Called before the first case begins. @returns what the requests of the tenant say of it */
export async function prepare(flow: AnyFlow, world: World, tenant: string): Promise<Request> {
  const said = (await callers[flow.name]?.prepare?.(world, tenant)) ?? {};
  prepared.set(`${flow.name} ${tenant}`, said);
  return said;
}

/** What requests say of what was prepared, by flow and tenant. */
const prepared = new Map<string, Request>();

/** The first example of a request; undefined where the flow has none, and is not in the matrix. */
export function exampleOf({ request }: AnyFlow): Request | undefined {
  return (request.meta()?.examples as readonly Request[] | undefined)?.[0];
}

/** What a caller of the flow asks for. Tenants are apart, so that everyone may ask for the same. */
export function requestOf(flow: AnyFlow, outside: Outside, tenant: string): Request {
  const { [flow.name]: caller } = callers;
  return { ...exampleOf(flow), ...caller?.request?.(outside, tenant), ...prepared.get(`${flow.name} ${tenant}`) };
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
