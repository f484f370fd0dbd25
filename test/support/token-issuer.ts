import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from 'jose';
import { freePorts } from '../../workers/local/free-port.ts';

export type Claims = Readonly<Record<string, unknown>>;

type Pair = {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
};

/** What an identity provider is to the HTTP API: key pairs, a JWKS on the loopback that can fail, and signed tokens. */
export class TokenIssuer {
  static readonly issuer = 'https://issuer.test/';
  static readonly audience = 'https://api.test/';
  readonly url: string;
  /** The keys that the JWKS shows. */
  published: Pair[] = [];
  /** How many times the JWKS was asked for. */
  asked = 0;
  /** What it does instead of answering, where a test wants that. */
  misbehave: ((request: IncomingMessage, response: ServerResponse) => void) | undefined;
  readonly #server;

  private constructor(port: number, server: ReturnType<typeof createServer>) {
    this.url = `http://127.0.0.1:${port}/jwks.json`;
    this.#server = server;
  }

  static async start(): Promise<TokenIssuer> {
    const server = createServer((request, response) => {
      issuer.asked += 1;
      if (issuer.misbehave !== undefined) return issuer.misbehave(request, response);
      void issuer
        .jwks()
        .then((keys) => response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys })));
    });
    // The system gives this port to no connection while the issuer is away.
    const [port = 0] = await freePorts(1);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const issuer = new TokenIssuer(port, server);
    issuer.published.push(await TokenIssuer.pair('first'));
    return issuer;
  }

  static async pair(kid: string, alg = 'RS256'): Promise<Pair> {
    return { kid, alg, ...(await generateKeyPair(alg, { extractable: true })) };
  }

  get settings(): Record<string, string> {
    return {
      HAPAX_JWKS_URL: this.url,
      HAPAX_JWT_ISSUER: TokenIssuer.issuer,
      HAPAX_JWT_AUDIENCE: TokenIssuer.audience,
    };
  }

  get first(): Pair {
    return this.published[0] as Pair;
  }

  async jwks(): Promise<JWK[]> {
    return await Promise.all(
      this.published.map(async ({ kid, alg, publicKey }) => ({
        ...(await exportJWK(publicKey)),
        kid,
        alg,
        use: 'sig',
      })),
    );
  }

  async pem(): Promise<string> {
    return await exportSPKI(this.first.publicKey);
  }

  /** A token that is good for five minutes, unless `claims` say otherwise; undefined takes a claim away. */
  async token(claims: Claims, { by = this.first, header = {} }: { by?: Pair; header?: object } = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const usual = {
      iss: TokenIssuer.issuer,
      aud: TokenIssuer.audience,
      environment: 'test',
      sub: 'ann',
      iat: now,
      exp: now + 300,
    };
    const given = Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined);
    return await new SignJWT(Object.fromEntries(given))
      .setProtectedHeader({ alg: by.alg, kid: by.kid, ...header })
      .sign(by.privateKey);
  }

  /** Nobody listens any more: connections are refused. */
  async goAway(): Promise<void> {
    this.#server.closeAllConnections();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async comeBack(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(Number(new URL(this.url).port), '127.0.0.1', resolve));
  }
}
