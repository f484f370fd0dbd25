/**
 * Media types whose bytes look alike, or may be wrapped in one another. A family judges the types that are declared as one
 * of its own: what they may show beside themselves. The first family that has the type counts.
 */
type TypeFamily = {
  readonly declared: RegExp;
  readonly mayShow: RegExp;
};

export const zipped =
  /^(application\/(zip|.*\+zip|vnd\.openxmlformats.*|vnd\.oasis.*|vnd\.ms-.*\.macroenabled\.12|vnd\.apple\.(keynote|numbers|pages)|epub.*|java-archive|vnd\.android.*|x-xpinstall|x-google-chrome-extension|vnd\.comicbook\+zip|oxps|vnd\.ms-xpsdocument)|model\/3mf)$/;
/** Documents of an office from before zip. */
export const office =
  /^application\/(msword|vnd\.ms-(excel|powerpoint|outlook|project|works)|vnd\.visio|x-cfb|rtf|x-msi)$/;
/** Bytes that an archive or a document may be packed in, as whole files. */
export const packed =
  /^application\/(gzip|x-gzip|x-bzip2|x-xz|zstd|lzip|x-lz4|x-compress|x-compressed|x-tar|x-gtar|x-compressed-tar|x-cpio|x-unix-archive|x-deb|x-rpm)$/;

export const typeFamilies: readonly TypeFamily[] = [
  // Pictures. A raw photograph of most cameras is a TIFF; HEIF and AVIF share a container with films.
  { declared: /^image\/a?png$/, mayShow: /^image\/a?png$/ },
  {
    declared: /^image\/(avif|heic|heif)(-sequence)?$/,
    mayShow: /^(image\/((avif|heic|heif)(-sequence)?|x-canon-cr3)|video\/(mp4|quicktime))$/,
  },
  {
    declared:
      /^image\/(tiff|x-adobe-dng|x-canon-cr2|x-nikon-nef|x-sony-arw|x-olympus-orf|x-panasonic-rw2|x-fujifilm-raf)$/,
    mayShow:
      /^image\/(tiff|x-adobe-dng|x-canon-cr2|x-nikon-nef|x-sony-arw|x-olympus-orf|x-panasonic-rw2|x-fujifilm-raf)$/,
  },
  { declared: /^image\/(jp2|jpx|jpm|mj2|j2c)$/, mayShow: /^image\/(jp2|jpx|jpm|mj2|j2c)$/ },
  // Browsers take a PNG under the name of an icon, and sites send them so.
  { declared: /^image\/x-icon$/, mayShow: /^image\/(x-icon|png|bmp)$/ },
  // Operating systems take a `.ts` for a film: it may be a program, or a translation in XML.
  { declared: /^video\/mp2t$/, mayShow: /^(video\/.*|audio\/.*|text\/plain|application\/xml)$/ },
  // A container does not always show at its start whether it holds sound, a film, or both.
  {
    declared: /^(audio|video)\//,
    mayShow: /^((audio|video)\/.*|application\/(ogg|mxf|vnd\.ms-asf|vnd\.rn-realmedia))$/,
  },
  { declared: /^font\//, mayShow: /^(font\/.*|application\/vnd\.ms-fontobject)$/ },
  // Documents. Illustrator's files are PDFs that browsers call PostScript.
  {
    declared: /^(application\/(postscript|eps|illustrator)|image\/x-eps)$/,
    mayShow: /^application\/(postscript|eps|pdf)$/,
  },
  // With a password, or from former versions, an office document is an OLE container. `.doc` and `.xls` hold whatever the
  // office opens: RTF, pages, sheets in XML, plain text.
  {
    declared: office,
    mayShow: new RegExp(`^(text/.*|application/(x-cfb|rtf|xml|vnd\\.visio|vnd\\.ms-outlook))$|${zipped.source}`),
  },
  // The start of a zip does not always tell which document it is, and a program that unpacks itself is one as well.
  {
    declared: /^application\/(zip|x-zip)$/,
    mayShow: new RegExp(`^application/(x-msdownload|x-elf|x-mach-binary)$|${zipped.source}`),
  },
  // Keys of cryptography are `.key` too.
  {
    declared: /^application\/vnd\.apple\.keynote$/,
    mayShow: new RegExp(`^(text/.*|application/pgp-encrypted)$|${zipped.source}`),
  },
  { declared: zipped, mayShow: new RegExp(`^application/x-cfb$|${zipped.source}`) },
  { declared: /^application\/vnd\.sketchup\.skp$/, mayShow: zipped },
  { declared: packed, mayShow: packed },
  { declared: /^application\/dicom$/, mayShow: /^image\/tiff$/ },
  { declared: /^application\/vnd\.tcpdump\.pcap$/, mayShow: /^application\/gzip$/ },
];

/** What shows them stands further inside, and the start is free. */
export const freeStart = /^application\/(x-iso9660-image|x-apple-diskimage|x-blender)$|^model\/stl$/;

/** Documents that are text inside. Drawings in XML are often packed (`.svgz`). */
export const textual =
  /^(text\/.*|.*\+xml|.*\+json|application\/(json|xml|javascript|x-javascript|ecmascript|x-sh|sql|yaml|x-yaml|toml|x-ndjson))$/;
export const packedText = /^image\/svg\+xml$/;

/** Signatures of formats that are written in text, and are no contradiction to it. */
export const writtenAsText =
  /^(text\/.*|model\/stl|application\/(xml|rtf|pdf|eps|postscript|pgp-encrypted|x-ms-regedit|x-cpio|x-unix-archive))$/;

/** What a machine runs. */
export const executable =
  /^application\/(x-msdownload|x-elf|x-mach-binary|java-vm|x-ms-shortcut|vnd\.microsoft\.portable-executable)$/;

/** What nobody means to run. */
export const playedOrShown = /^(image|audio|video|font|text|model|message)\//;

/** Other names that clients give to types with a registered one. */
export const otherNames: Readonly<Record<string, string>> = {
  'image/jpg': 'image/jpeg',
  'image/pjpeg': 'image/jpeg',
  'image/x-png': 'image/png',
  'image/vnd.mozilla.apng': 'image/apng',
  'image/x-ms-bmp': 'image/bmp',
  'image/x-bmp': 'image/bmp',
  'image/x-tiff': 'image/tiff',
  'image/vnd.microsoft.icon': 'image/x-icon',
  'image/ico': 'image/x-icon',
  'image/x-photoshop': 'image/vnd.adobe.photoshop',
  'image/x-psd': 'image/vnd.adobe.photoshop',
  'application/photoshop': 'image/vnd.adobe.photoshop',
  'image/eps': 'image/x-eps',
  'audio/mp3': 'audio/mpeg',
  'audio/x-wav': 'audio/wav',
  'audio/wave': 'audio/wav',
  'video/x-msvideo': 'video/vnd.avi',
  'video/x-matroska': 'video/matroska',
  'application/x-zip-compressed': 'application/zip',
  'application/x-pdf': 'application/pdf',
  'application/x-gzip': 'application/gzip',
  'application/vnd.rar': 'application/x-rar-compressed',
  'application/x-rar': 'application/x-rar-compressed',
  'application/x-bzip': 'application/x-bzip2',
  'application/vnd.debian.binary-package': 'application/x-deb',
  'application/vnd.ms-word': 'application/msword',
  'application/x-font-ttf': 'font/ttf',
  'application/x-font-otf': 'font/otf',
  'application/font-woff': 'font/woff',
  'application/font-sfnt': 'font/ttf',
  'text/rtf': 'application/rtf',
  'text/xml': 'application/xml',
};
