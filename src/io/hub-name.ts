/** Names of models on the Hugging Face hub: `org/name[@revision][:file]`, or a link to one of the hub's pages. */
import { isWeightFile } from './names.ts';

/** The hub that names mean, unless another is given. */
export const HUB_URL = 'https://huggingface.co';

/** A model of the hub, or one of its files. */
export interface HubName {
  readonly repo: string; // `org/name`
  readonly revision: string; // a branch, a tag or a commit
  readonly file: string | undefined; // path within the model
}

const NAME = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*?)(?:@([\w][\w./-]*))?(?::([^\s:][^\s]*))?$/;
const PAGE =
  /^https?:\/\/(?:www\.)?(?:huggingface\.co|hf\.co)\/([\w][\w.-]*\/[\w][\w.-]*)(?:\/(?:tree|blob|resolve)\/([^/?#]+)(?:\/([^?#]+))?)?\/?(?:[?#].*)?$/;

/**
 * Reads a name or a link. Relative addresses of folders end with a slash, so that `models/fable/` is none and `org/name` is one.
 *
 * @returns undefined where it is something else
 */
export function parseHubName(text: string): HubName | undefined {
  const trimmed = text.trim();
  const page = PAGE.exec(trimmed);
  if (page) {
    const [, repo = '', revision = 'main', path] = page;
    return { repo, revision: decodePath(revision), file: path === undefined ? undefined : decodePath(path) };
  }
  if (isWeightFile(trimmed) && !trimmed.includes(':')) return undefined;
  const [, repo, revision = 'main', file] = NAME.exec(trimmed) ?? [];
  return repo === undefined ? undefined : { repo, revision, file };
}

/** The address of a file, or of the folder of all files. */
export function hubFileUrl({ repo, revision, file = '' }: HubName, hubUrl = HUB_URL): string {
  const path = file.split('/').map(encodeURIComponent).join('/');
  return `${hubUrl.replace(/\/+$/, '')}/${repo}/resolve/${encodeURIComponent(revision)}/${path}`;
}

/** Part of a link; as it is where its percent signs stand for nothing. */
export function decodePath(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
