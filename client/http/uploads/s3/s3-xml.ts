/** XML as S3 writes and reads it, as far as these routes need it. */

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

type Tree = { readonly [name: string]: string | number | Tree | readonly Tree[] };

export const xmlType = 'application/xml';

/** @param root the outer element; arrays repeat their element */
export function xml(root: string, tree: Tree): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element(root, tree)}`;
}

function element(name: string, value: Tree[string]): string {
  if (Array.isArray(value)) return value.map((one: Tree) => element(name, one)).join('');
  const inner =
    typeof value === 'object'
      ? Object.entries(value)
          .map(([child, of]) => element(child, of))
          .join('')
      : String(value).replaceAll(/[&<>"']/g, (sign) => escapes[sign] ?? sign);
  return `<${name}>${inner}</${name}>`;
}

const part = /<Part>([\s\S]*?)<\/Part>/g;
const numberIn = /<PartNumber>\s*(\d{1,5})\s*<\/PartNumber>/;
const tagIn = /<ETag>\s*(?:"|&quot;|&#34;)?([0-9A-Za-z-]{1,100})(?:"|&quot;|&#34;)?\s*<\/ETag>/;

/** @returns the parts of a CompleteMultipartUpload; undefined when it is none */
export function completedParts(
  text: string,
): readonly { readonly number: number; readonly etag: string }[] | undefined {
  if (!/<CompleteMultipartUpload[\s>]/.test(text)) return undefined;
  const parts = [...text.matchAll(part)].map(([, inner = '']) => ({
    number: Number(numberIn.exec(inner)?.[1] ?? 0),
    etag: tagIn.exec(inner)?.[1] ?? '',
  }));
  return parts.every(({ number, etag }) => number > 0 && etag !== '') ? parts : undefined;
}
