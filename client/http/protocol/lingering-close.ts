import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { seconds } from '../../../workflows/operation/duration.ts';

/** A caller that sends nothing for this long has either read its answer or left. */
const silence = seconds(5);
/** Long enough for 30 MB at 8 Mbit/s. A sender that trickles gets no more. */
const longest = seconds(30);
/**
 * A caller may send all of its body before it reads. A video from a phone fits; reading this much costs less than the
 * same caller trying again. Bytes.
 */
const most = 64 * 1024 ** 2;

/**
 * An answer that leaves before its body was read must arrive: "If a server performs an immediate close of a TCP
 * connection, there is a significant risk that the client will not be able to read the last HTTP response" (RFC 9112,
 * 9.6). A close with unread bytes is a reset, and a reset discards what the caller has not read yet. So every such
 * answer ends its connection, and the connection ends in the way that the RFC describes.
 */
export function lingerOnClose(app: FastifyInstance): void {
  app.server.prependListener('request', (request: IncomingMessage) => {
    const { socket } = request;
    // Node calls this after the last answer of a connection, and would close at once.
    socket.destroySoon = () => {
      if (request.complete) Socket.prototype.destroySoon.call(socket);
      else closeLingering(socket);
    };
  });
  app.addHook('onSend', (request, reply, payload, next) => {
    closeWhereUnread(request.raw, reply);
    next(null, payload);
  });
}

/** Announces in the answer that the connection closes, if the rest of the request's body will not be read. */
export function closeWhereUnread(request: IncomingMessage, reply: FastifyReply): void {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  if (!request.complete && (coding !== undefined || length !== '0')) reply.header('connection', 'close');
}

/**
 * Closes our half of a connection, then reads and discards what the caller still sends, within a limit of time and
 * size. None of it is treated as a request.
 * @param last what is written before the end
 */
export function closeLingering(socket: Socket, last = ''): void {
  if (socket.destroyed) return;
  const late = setTimeout(() => socket.destroy(), longest);
  const begun = socket.bytesRead;
  socket.once('close', () => clearTimeout(late));
  socket.on('error', () => socket.destroy());
  socket.setTimeout(silence, () => socket.destroy());
  socket.end(last);
  const discard = (): void => {
    // Node's parser would go on with the next request. A listener for data takes the bytes from it.
    socket.removeAllListeners('data').removeAllListeners('end');
    socket.on('data', () => {
      // Unread bytes stay with the caller, which may still read the answer until the silence ends the connection.
      if (socket.bytesRead - begun > most) socket.pause();
    });
  };
  // An unread body has paused its socket, and only Node's parser resumes it.
  if (!socket.isPaused()) return discard();
  socket.once('resume', discard);
  socket.resume();
}
