import { crc32, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import sharp from 'sharp';
import { tiffOf } from './tiff-of.ts';

const picture = sharp({ create: { width: 50, height: 40, channels: 3, background: '#369' } });
const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
const padded = (start: string | Buffer, length = 600): Buffer => {
  const bytes = Buffer.alloc(length, 0);
  Buffer.from(typeof start === 'string' ? latin(start) : start).copy(bytes);
  return bytes;
};

/** A zip of stored entries, with its directory. */
function zip(entries: Readonly<Record<string, string>>): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(entries)) {
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(Buffer.byteLength(content), 14);
    fields.writeUInt32LE(Buffer.byteLength(content), 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([latin('PK\x03\x04'), fields, latin(name), Buffer.from(content)]);
    const central = Buffer.alloc(46);
    central.write('PK\x01\x02', 'latin1');
    fields.copy(central, 6, 0, 24);
    central.writeUInt32LE(at, 42);
    locals.push(local);
    directory.push(central, latin(name));
    at += local.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(locals.length, 8);
  end.writeUInt16LE(locals.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, ...directory, end]);
}

function office(type: string, folder: string): Buffer {
  const content = `application/vnd.${type}.main+xml`;
  const types = `<?xml version="1.0"?><Types><Override PartName="/${folder}/a.xml" ContentType="${content}"/></Types>`;
  return zip({ '[Content_Types].xml': types, [`${folder}/a.xml`]: '<a/>' });
}

const openDocument = (type: string): Buffer => zip({ mimetype: `application/${type}`, 'content.xml': '<a/>' });

/** ISO base media: films, sound and pictures of today. */
function media(brand: string, ...compatible: readonly string[]): Buffer {
  const brands = [brand, '\0\0\0\0', ...compatible].join('');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(8 + brands.length);
  return padded(Buffer.concat([length, latin(`ftyp${brands}`)]));
}

function stl(head: string): Buffer {
  const bytes = padded(head, 134);
  bytes.writeUInt32LE(1, 80);
  return bytes;
}

function transport(unit: number, lead: number): Buffer {
  const bytes = Buffer.alloc(unit * 8);
  for (let at = lead; at < bytes.length; at += unit) bytes[at] = 0x47;
  return bytes;
}

function tar(name: string): Buffer {
  const bytes = padded(name, 1_024);
  bytes.write('0000644\0', 100);
  bytes.write('00000000000\0', 124);
  bytes.write('        ', 148);
  bytes.write('0ustar\x0000', 156);
  const sum = bytes.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

const pdf = '%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n';
const program = padded(Buffer.concat([padded('MZ\x90\0\x03', 64), latin('PE\0\0')]));
const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>';

/** The smallest files that show, or hide, what they are. */
export const typeFiles = {
  png: await picture.clone().png().toBuffer(),
  jpeg: await picture.clone().jpeg().toBuffer(),
  gif: await picture.clone().gif().toBuffer(),
  webp: await picture.clone().webp().toBuffer(),
  avif: await picture.clone().avif().toBuffer(),
  tiff: await picture.clone().tiff().toBuffer(),
  // As scanners write it: the directory stands behind the bytes that are looked at.
  lateTiff: tiffOf(50, 40, 3, 2),
  bigTiff: await picture.clone().tiff({ bigtiff: true }).toBuffer(),
  bmp: padded('BM\x36\x20\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0'),
  ico: padded('\0\0\x01\0\x01\0\x10\x10\0\0'),
  psd: padded('8BPS\0\x01\0\0\0\0\0\0'),
  heic: media('heic', 'mif1', 'heic'),
  heicByBrand: media('mif1', 'heic', 'mif1'),
  heicSequence: media('msf1', 'hevc'),
  heicAsFilm: media('mp42', 'heic'),
  jp2: padded('\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 '),
  jxl: padded('\xff\x0a\xfa\x1f'),
  svg: Buffer.from(svg),
  svgWithHeader: Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>\n${svg}`),
  svgz: gzipSync(`<?xml version="1.0"?>${svg}`),
  raw: Buffer.concat([latin('II*\0\x10\0\0\0CR\x02\0'), Buffer.alloc(5_000, 9)]),
  dxf: Buffer.from('  0\nSECTION\n  2\nHEADER\n  9\n$ACADVER\n  1\nAC1015\n  0\nENDSEC\n  0\nEOF\n'),
  eps: Buffer.from('%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n'),
  postscript: Buffer.from('%!PS-Adobe-3.0\nshowpage\n'),
  bareEps: Buffer.from('%!PS\nshowpage\n'),
  dosEps: padded('\xc5\xd0\xd3\xc6\x1e\0\0\0'),
  pdf: latin(pdf),
  latePdf: latin(`${'HTTP header that a scanner left\r\n'.repeat(20)}${pdf}`),
  textPdf: Buffer.from('%PDF-1.4\n1 0 obj\n<< >>\nendobj\n'),
  stl: stl('one triangle'),
  stlLikeBmp: stl('BM'),
  stlLikeProgram: stl('MZ'),
  textStl: Buffer.from('solid one\nfacet normal 0 0 1\nendfacet\nendsolid one\n'),
  docx: office('openxmlformats-officedocument.wordprocessingml.document', 'word'),
  xlsx: office('openxmlformats-officedocument.spreadsheetml.sheet', 'xl'),
  xlsm: office('ms-excel.sheet.macroEnabled', 'xl'),
  pptx: office('openxmlformats-officedocument.presentationml.presentation', 'ppt'),
  plainZip: zip({ 'a.txt': 'a' }),
  odt: openDocument('vnd.oasis.opendocument.text'),
  epub: zip({ mimetype: 'application/epub+zip', 'META-INF/container.xml': '<a/>' }),
  jar: zip({ 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\n' }),
  ole: padded('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', 1_024),
  rtf: Buffer.from('{\\rtf1\\ansi Hello}'),
  html: Buffer.from('<!doctype html><html><body><table><tr><td>1</td></tr></table></body></html>'),
  xml: Buffer.from('<?xml version="1.0"?>\n<Workbook/>'),
  text: Buffer.from('Plain words, and nothing else.\n'),
  textLikeBmp: Buffer.from('BMW builds cars.\n'),
  textLikeProgram: Buffer.from('MZ is the mark of Mark Zbikowski.\n'),
  latinText: latin('BM \xfcber alles, in ISO 8859-1\n'),
  utf16: Buffer.concat([latin('\xff\xfe'), Buffer.from('Sechzehn Bits', 'utf16le')]),
  utf16be: Buffer.concat([latin('\xfe\xff'), Buffer.from('Sechzehn Bits', 'utf16le').swap16()]),
  json: Buffer.from('{"a": 1}'),
  calendar: Buffer.from('BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n'),
  subtitles: Buffer.from('WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n'),
  playlist: Buffer.from('#EXTM3U\n#EXTINF:1,\na.ts\n'),
  typescript: Buffer.from('export const answer = 42 satisfies number;\n'),
  translation: Buffer.from('<?xml version="1.0"?>\n<TS version="2.1"/>'),
  pem: Buffer.from('-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n'),
  mp4: media('isom', 'mp42'),
  quicktime: media('qt  '),
  m4a: media('M4A '),
  webm: padded('\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm'),
  ogg: padded('OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead'),
  mp3: padded('ID3\x04\0\0\0\0\0\0\xff\xfb\x90\x64'),
  wav: padded('RIFF\x24\0\0\0WAVEfmt '),
  avi: padded('RIFF\x24\0\0\0AVI LIST'),
  flac: padded('fLaC\0\0\0\x22'),
  midi: padded('MThd\0\0\0\x06'),
  mpegTs: transport(188, 0),
  bluRayTs: transport(192, 4),
  ttf: padded('\0\x01\0\0\0\x0c'),
  otf: padded('OTTO\0\x0c'),
  woff2: padded('wOF2\0\x01\0\0'),
  gzip: gzipSync('a'),
  zstd: zstdCompressSync('a'),
  tar: tar('a.txt'),
  sevenZip: padded('7z\xbc\xaf\x27\x1c'),
  rar: padded('Rar!\x1a\x07\x01\0'),
  program,
  elf: padded('\x7fELF\x02\x01\x01'),
  machO: padded('\xcf\xfa\xed\xfe\x07\0\0\x01'),
  javaClass: padded('\xca\xfe\xba\xbe\0\0\0\x41'),
  selfExtracting: Buffer.concat([program, zip({ 'a.txt': 'a' })]),
  gifar: Buffer.concat([await picture.clone().gif().toBuffer(), zip({ 'a.class': 'a' })]),
  jpegWithPdf: Buffer.concat([await picture.clone().jpeg().toBuffer(), latin(pdf)]),
  sqlite: padded('SQLite format 3\0\x10\0'),
  dicom: padded(Buffer.concat([Buffer.alloc(128), latin('DICM')])),
  dicomAndTiff: padded(Buffer.concat([padded('II*\0\x08\0\0\0\0\0', 128), latin('DICM')])),
  noise: deflateRawSync(Buffer.from('nothing that anybody knows')).subarray(3),
  nulls: Buffer.alloc(100),
  empty: Buffer.alloc(0),
} as const;
