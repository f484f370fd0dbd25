import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { assetsPart } from './assets/assets-part.ts';
import { checkoutPart } from './checkout/checkout-part.ts';
import { consumerPart } from './consumer/consumer-part.ts';
import { prepareDatabase } from './checkout/prepare-database.ts';
import { dedupPart } from './dedup/dedup-part.ts';
import { type Figure, isMet } from './measure/figure.ts';
import { figureTable } from './measure/figure-table.ts';
import { overloadPart } from './overload/overload-part.ts';
import type { Part } from './part.ts';
import { reconcilePart } from './reconcile/reconcile-part.ts';
import { relayPart } from './relay/relay-part.ts';
import { replayPart } from './replay/replay-part.ts';
import { signupPart } from './signup/signup-part.ts';
import { startServers } from './stack/servers.ts';
import { uploadsPart } from './uploads/uploads-part.ts';
import { waitingPart } from './waiting/waiting-part.ts';
import { webhooksPart } from './webhooks/webhooks-part.ts';
import { stampedePart } from './stampede/stampede-part.ts';

/** npm run bench [-- --only checkout|replay|stampede|overload|uploads|assets|webhooks|waiting|reconcile|dedup|signup|relay|consumer] [--rounds N] [--temporal-store memory|file] */
const parts: Readonly<Record<string, Part>> = {
  checkout: checkoutPart,
  replay: replayPart,
  stampede: stampedePart,
  overload: overloadPart,
  uploads: uploadsPart,
  assets: assetsPart,
  webhooks: webhooksPart,
  waiting: waitingPart,
  reconcile: reconcilePart,
  dedup: dedupPart,
  signup: signupPart,
  relay: relayPart,
  consumer: consumerPart,
};

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    // Five is the least whose median does not move when one round is disturbed twice.
    rounds: { type: 'string', default: '5' },
    'temporal-store': { type: 'string', default: 'memory' },
    output: { type: 'string', default: '.hapax/bench.json' },
  },
});
const chosen = Object.entries(parts).filter(([name]) => values.only === undefined || values.only === name);
const rounds = Number(values.rounds);
if (chosen.length === 0 || !Number.isInteger(rounds) || rounds < 1) {
  console.error(`Give --only ${Object.keys(parts).join('|')} and --rounds as a whole number.`);
  process.exit(2);
}

const say = (line: string): void => console.log(line);
const servers = await startServers(values['temporal-store'] === 'file' ? 'file' : 'memory');
const figures: Figure[] = [];
const raw: Record<string, unknown> = {};
try {
  await prepareDatabase(servers.postgres.url);
  for (const [name, part] of chosen) {
    const measured = await part({ servers, rounds, say });
    figures.push(...measured.figures);
    raw[name] = measured.raw;
  }
} finally {
  await servers.stop();
}

const conditions = {
  at: new Date().toISOString(),
  node: process.version,
  cores: availableParallelism(),
  rounds,
  stores: servers.stores,
};
say(`\n${figureTable(figures)}\n`);
for (const store of Object.values(servers.stores)) say(`  ${store}`);
say(`  ${conditions.cores} cores, Node ${conditions.node}, medians of ${rounds} rounds with the sides in turn`);
await mkdir('.hapax', { recursive: true });
const judged = figures.map((figure) => ({ ...figure, met: isMet(figure) }));
await writeFile(values.output, `${JSON.stringify({ conditions, figures: judged, raw }, null, 2)}\n`);
say(`  written to ${values.output}`);
