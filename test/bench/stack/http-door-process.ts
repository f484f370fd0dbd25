import type { FastifyInstance } from 'fastify';
import pg from 'pg';
import { requireKey } from '../../../client/http/routes/flow-routes.ts';
import { acceptJson } from '../../../client/http/protocol/json-body.ts';
import { startHttp } from '../../../workers/http.ts';
import { checkoutFlow } from '../../../workflows/checkout.flow.ts';
import { fingerprint } from '../../../workflows/operation/fingerprint.ts';
import { answerQuestions, given } from './conversation.ts';
import { bareInsertRoute, bareRoute, type DoorSettings } from './http-door.ts';
import { benchConfig } from './settings.ts';

/** As long as the answer of a checkout. */
const constant = Buffer.from(JSON.stringify({ id: 'op_', state: 'succeeded', filled: 'x'.repeat(170) }));

/** Authenticated by the door, with the flow's own schema and fingerprint; what is left out is all that a key costs. */
function bare(guarded: FastifyInstance): void {
  void guarded.register(async (app) => {
    acceptJson(app);
    app.post(bareRoute, { onRequest: requireKey, schema: { body: checkoutFlow.request } }, async (request, reply) => {
      fingerprint(checkoutFlow.name, checkoutFlow.intent, request.body as Record<string, unknown>);
      return await reply.code(201).header('content-type', 'application/json; charset=utf-8').send(constant);
    });
  });
}

/** A row for each body, committed before the answer. */
function bareInsert(guarded: FastifyInstance, databaseUrl: string): void {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 24 });
  void guarded.register(async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    app.post(bareInsertRoute, async (request) => {
      const text = 'insert into plain.event (body) values ($1) returning id';
      const { rows } = await pool.query({ name: 'bare_insert', text, values: [request.body] });
      return { id: String(rows[0]?.id), received: true };
    });
    app.addHook('onClose', async () => pool.end());
  });
}

const settings = given<DoorSettings>();
const running = await startHttp({ ...benchConfig(settings), HAPAX_ANSWER_CACHE: settings.answerCache }, (app) => {
  bare(app);
  bareInsert(app, settings.databaseUrl);
});
answerQuestions({ address: () => running.address }, () => running.stop());
