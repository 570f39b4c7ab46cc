import { absoluteUrl } from './absolute-url.ts';
import { httpFolder } from './http.ts';
import type { HttpOptions } from './http-request.ts';
import type { FolderSource } from './source.ts';

/** The folder behind a URL; relative ones are taken against the page. */
export function openFolder(address: string, options: HttpOptions & { baseUrl?: string } = {}): FolderSource {
  return httpFolder(absoluteUrl(address, options.baseUrl), options);
}
