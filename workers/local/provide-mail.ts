import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { given } from '../config.ts';
import { startNodeWorker } from './node-worker.ts';
import type { Service } from './service.ts';
import type { Context } from './stack-context.ts';

/** Older mails than this many are forgotten: the catcher keeps them in memory. */
const mostMails = 1_000;

/** A mail server or provider of a person's own, or a catcher that takes every mail and shows it on a page. */
export async function provideMail(context: Context): Promise<Service> {
  const own = given('SMTP_URL') ?? given('MAIL_PROVIDER_URL');
  if (own !== undefined) return { environment: {}, addresses: {} };
  const script = catcher();
  if (script === undefined) {
    context.say('Mail waits in the outbox: maildev is not installed, and SMTP_URL is not set');
    return { environment: {}, addresses: {} };
  }
  const { HAPAX_SMTP_PORT: smtp, HAPAX_MAIL_UI_PORT: web } = context.settings;
  const page = `http://127.0.0.1:${web}`;
  const args = {
    ...{ smtp, web, ip: '127.0.0.1', 'web-ip': '127.0.0.1', 'max-emails': mostMails },
    'mail-directory': join(context.directory, 'mail'),
  };
  await context.run('mail-catcher', 'services', (logFile) =>
    startNodeWorker({
      name: 'mail-catcher',
      script,
      args: Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]),
      environment: {},
      readyUrl: `${page}/api/healthz`,
      logFile,
      keeper: context.keeper,
      advice: `See ${logFile}; other ports are set by HAPAX_SMTP_PORT and HAPAX_MAIL_UI_PORT, a mail server of your own by SMTP_URL.`,
    }),
  );
  context.say('The mail catcher is ready');
  return {
    environment: {
      SMTP_URL: `smtp://127.0.0.1:${smtp}`,
      MAIL_FROM: given('MAIL_FROM') ?? 'The local shop <shop@hapax.test>',
    },
    addresses: { 'Mail catcher': page },
  };
}

/** It comes with the development dependencies. */
function catcher(): string | undefined {
  try {
    return fileURLToPath(new URL('./bin/maildev.js', import.meta.resolve('maildev')));
  } catch {
    return undefined;
  }
}
