/** What is asked of a server, and what it may answer. */

/** A file behind an address. */
export interface HttpTarget {
  readonly href: string; // may hold secrets
  readonly label: string; // holds none
  readonly headers: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly isLocal: boolean; // of an app or an extension: no network is between
}

/** A range of a file, in bytes. */
export interface RangeRequest {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** The first of its file: its size is not known yet, so the reply may rightly be shorter. */
  readonly isFirst?: boolean;
  /** Asks for no range. */
  readonly isPlain?: boolean;
  /** Of a server that sends the file from its start whatever is asked, this much is read. */
  readonly fromStartBytes: number;
  /** Such a file is read whole, and may have this much. */
  readonly mostBytes?: number | undefined;
}

/** Which version of the file the bytes are of, as far as the server reports it. */
export interface Version {
  readonly etag: string | undefined;
  readonly modified: string | undefined;
}

/** What a server answered to a range request. */
export type Reply =
  | {
      readonly kind: 'part';
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly totalBytes: number | undefined;
      readonly hasRange: boolean; // the server said which part it is, and this page could read that
      readonly version: Version;
    }
  /** The server does not do ranges: this is the beginning. */
  | {
      readonly kind: 'start';
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly totalBytes: number;
      readonly isComplete: boolean;
      readonly version: Version;
    }
  /** A part of the compressed file, of which nothing can be made: ask for the whole. */
  | { readonly kind: 'encoded' }
  | { readonly kind: 'absent' }
  /** The server answers, and does not let this page have this file; `error` is for callers that cannot do without. */
  | { readonly kind: 'refused'; readonly error: Error };

/** Whether two replies are known to be of different versions; undefined: they say nothing that can be compared. */
export function isSameVersion(a: Version, b: Version): boolean | undefined {
  const both = (x: string | undefined, y: string | undefined) =>
    x === undefined || y === undefined ? undefined : strong(x) === strong(y);
  // Mirrors date their copies differently: an ETag says more.
  return both(a.etag, b.etag) ?? both(a.modified, b.modified);
}

/** Servers weaken the ETag of what they compress; the version is the same. */
function strong(text: string): string {
  return text.replace(/^W\//, '');
}
