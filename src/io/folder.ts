import { absoluteUrl } from './absolute-url.ts';
import { fileFolder } from './blob.ts';
import { httpFolder } from './http.ts';
import type { HttpOptions } from './http-request.ts';
import type { FolderSource } from './source.ts';

/**
 * The folder behind any of the ways to name a model: a URL (relative ones against the page), chosen files, or a
 * folder already.
 */
export function openFolder(
  source: string | readonly File[] | FolderSource,
  options: HttpOptions & { baseUrl?: string } = {},
): FolderSource {
  if (typeof source === 'string') return httpFolder(absoluteUrl(source, options.baseUrl), options);
  return isFolder(source) ? source : fileFolder(source);
}

function isFolder(source: readonly File[] | FolderSource): source is FolderSource {
  return 'open' in source;
}
