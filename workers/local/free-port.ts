import { createServer } from 'node:net';

/**
 * Below the ports that systems give to connections and to servers that take any (Linux: from 32,768 on), above those that our
 * parts have by default.
 */
const lowest = 13_000;
const highest = 32_767;
/** Ports of one process. Processes that start at about the same time have different ones. */
const share = 64;
const ours = process.pid % Math.floor((highest - lowest) / share);
let asked = 0;

/**
 * Ports of 127.0.0.1 that are free right now. Seconds pass until somebody listens there: nobody else is given them meanwhile,
 * by us or by the system.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Awaited<ReturnType<typeof listen>>[] = [];
  while (servers.length < count) {
    const port = lowest + ((ours * share + asked) % (highest - lowest));
    asked += 1;
    const server = await listen(port).catch((fault: NodeJS.ErrnoException) => {
      if (fault.code !== 'EADDRINUSE') throw fault;
      return undefined;
    });
    if (server !== undefined) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** @throws naming the port and the variable that chooses another one, when something already listens there */
export async function requireFreePort(port: number, part: string, variable: string): Promise<void> {
  try {
    const server = await listen(port);
    await new Promise((resolve) => server.close(resolve));
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw fault;
    throw new Error(
      `Port ${port}, wanted by ${part}, is taken by another program: end that program, or set ${variable}`,
    );
  }
}

const listen = (port: number) =>
  new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
