import type { FastifyInstance } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import type { Additions } from '../flow-additions.ts';

/** What the protocols for uploads need. */
export type ProtocolParts = {
  readonly app: FastifyInstance;
  readonly gateway: Gateway;
  readonly uploads: Uploads;
  readonly additions: Pick<Additions, 'refusal'>;
  /** The address of the HTTP API as callers see it; by default the address that a request was sent to. */
  readonly publicUrl: string | undefined;
};
