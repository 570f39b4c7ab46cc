import { parseHubName } from './hub-name.ts';

/** A relative URL made absolute, so that a worker means the same file as its page; names of the hub stay as they are. */
export function absoluteUrl(url: string, baseUrl: string | undefined = pageUrl()): string {
  if (parseHubName(url)) return url;
  return URL.canParse(url, baseUrl) ? new URL(url, baseUrl).href : url;
}

/** What relative addresses are relative to. Frames and workers made of a blob have only their maker's origin. */
function pageUrl(): string | undefined {
  const bases = [globalThis.document?.baseURI, globalThis.location?.href, globalThis.location?.origin];
  return bases.find((base) => base !== undefined && URL.canParse('x', base));
}
