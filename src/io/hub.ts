/** What the Hugging Face hub has under a name. */
import { AtomoeError } from '../errors.ts';
import { decodePath, HUB_URL, hubFileUrl, parseHubName, type HubName } from './hub-name.ts';
import { STALL_TIMEOUT_MS } from './http-request.ts';
import { publicLabel } from './http-url.ts';
import { isWeightFile } from './names.ts';

/** A weight file of a model; the parts of one that is split count as one. */
export interface HubFile {
  readonly name: string; // of the first part
  readonly sizeBytes: number; // of all parts
  readonly quantisation: string | undefined; // as the name says, such as `Q4_K_M`
}

/** What the hub says of a model. */
export interface HubModel extends HubName {
  readonly license: string | undefined; // as the model's page states it, such as `apache-2.0`
  readonly hasCheckpoint: boolean; // config.json and safetensors
  readonly checkpointBytes: number; // of the safetensors; 0: none
  readonly ggufFiles: readonly HubFile[];
  readonly paths: readonly string[]; // of all its files
  /** The GGUF file that suits most machines; undefined where there is none. */
  readonly proposed: HubFile | undefined;
}

/** A model that was opened before. */
interface OpenedModel {
  readonly label: string; // its address
  readonly isComplete: boolean; // all of it is kept
}

/** How the hub is asked. */
export interface HubOptions {
  readonly hubUrl?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How a name is resolved. */
export interface AddressOptions extends HubOptions {
  /** What is kept on the disk, the model used last first. It is looked through where the hub does not answer. */
  readonly kept?: (() => Promise<readonly OpenedModel[]>) | undefined;
}

/** What a name means. */
export interface HubAddress {
  readonly address: string;
  /** The names in the folder that is meant, or that has the file, where they are known. */
  readonly names?: ReadonlySet<string>;
}

/**
 * The address of what a name means: the named file, the folder of a checkpoint, or the proposed GGUF file. Where the hub
 * does not answer, it is what is kept under the name.
 *
 * @returns `text` itself where it is no name of the hub
 * @throws {AtomoeError} bad-file - no such model, or one without weights that can be read; network
 */
export async function hubAddress(text: string, options: AddressOptions = {}): Promise<HubAddress> {
  const name = parseHubName(text);
  if (!name) return { address: text };
  const { hubUrl, kept } = options;
  if (name.file !== undefined && isWeightFile(name.file)) return { address: hubFileUrl(name, hubUrl) };
  try {
    return await askForAddress(name, options);
  } catch (error) {
    const isUnanswered = error instanceof AtomoeError && error.code === 'network';
    const models = isUnanswered && kept ? await kept().catch(() => []) : [];
    const address = keptAddress(name, models, hubUrl);
    if (address === undefined) throw error;
    return { address };
  }
}

async function askForAddress(name: HubName, options: HubOptions): Promise<HubAddress> {
  const model = await readHubModel(name, options);
  const file = meantFile(name, model);
  const folder = file?.slice(0, file.lastIndexOf('/') + 1) ?? '';
  const names = model.paths
    .filter((path) => path.startsWith(folder))
    .map((path) => path.slice(folder.length));
  return { address: hubFileUrl({ ...name, file }, options.hubUrl), names: new Set(names) };
}

/** The file that a name means; undefined: the checkpoint in the model's folder. */
function meantFile(name: HubName, { hasCheckpoint, proposed, ggufFiles }: HubModel): string | undefined {
  if (name.file !== undefined) return namedFile(name, name.file, ggufFiles);
  if (hasCheckpoint) return undefined;
  if (proposed) return proposed.name;
  const names = ggufFiles.map((file) => file.quantisation ?? file.name).join(', ');
  throw new AtomoeError(
    'bad-file',
    ggufFiles.length === 0
      ? `${name.repo} has neither config.json with safetensors weights nor a GGUF file; choose another version of the model`
      : `${name.repo} has ${names}, none of which is known to load; add ":" and the one to try to the name`,
  );
}

/** What is kept of a model: first what is all there, then what was used last. */
function keptAddress(
  name: HubName,
  models: readonly OpenedModel[],
  hubUrl: string | undefined,
): string | undefined {
  const folder = publicLabel(hubFileUrl({ ...name, file: undefined }, hubUrl));
  const isMeant = ({ label }: OpenedModel) =>
    label.startsWith(folder) &&
    (name.file === undefined || isCalled(name.file, decodePath(label.slice(folder.length))));
  const found = models.filter(isMeant);
  return (found.find(({ isComplete }) => isComplete) ?? found[0])?.label;
}

/** Whether a file is of this quantisation, or in the folder of this name. */
function isCalled(wanted: string, file: string): boolean {
  const lower = wanted.toLowerCase().replace(/\/$/, '');
  return quantisationOf(file)?.toLowerCase() === lower || file.toLowerCase().startsWith(`${lower}/`);
}

/** The GGUF file of a quantisation, or in a folder, of this name. */
function namedFile({ repo }: HubName, wanted: string, files: readonly HubFile[]): string {
  const found = files.find(({ name }) => isCalled(wanted, name));
  if (found) return found.name;
  const names = files.map(({ name, quantisation }) => quantisation ?? name).join(', ');
  throw new AtomoeError(
    'bad-file',
    `${repo} has no weight file or quantisation "${wanted}"; it has ${names === '' ? 'no GGUF files' : names}; choose one of them`,
  );
}

interface Sibling {
  readonly rfilename?: unknown;
  readonly size?: unknown;
}

/**
 * Asks the hub for the files of a model.
 *
 * @throws {AtomoeError} bad-file - no such model; network
 */
export async function readHubModel(name: HubName, options: HubOptions = {}): Promise<HubModel> {
  const { hubUrl = HUB_URL, headers = {}, fetch: ask = fetch, signal } = options;
  const { repo, revision } = name;
  const url = `${hubUrl.replace(/\/+$/, '')}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const timeout = AbortSignal.timeout(STALL_TIMEOUT_MS);
  const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
  const answer = await ask(url, { headers: { ...headers }, signal: either }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new AtomoeError('network', `${hubUrl} did not answer; check the connection and try again`, {
      cause,
    });
  });
  if (!answer.ok) throw refused(name, hubUrl, answer.status);
  const json = (await answer.json().catch(() => undefined)) as Record<string, unknown> | undefined;
  const siblings = json?.['siblings'];
  if (!Array.isArray(siblings)) {
    throw new AtomoeError(
      'network',
      `${hubUrl} answered something else than the files of ${repo}; try again later`,
    );
  }
  const files = (siblings as (Sibling | null)[]).flatMap((sibling) => {
    const { rfilename, size } = sibling ?? {};
    if (typeof rfilename !== 'string') return [];
    return [{ name: rfilename, sizeBytes: typeof size === 'number' ? size : 0 }];
  });
  const ggufFiles = ggufOf(files);
  const tensorFiles = files.filter(({ name: path }) => /^[^/]*\.safetensors$/.test(path));
  const hasCheckpoint = tensorFiles.length > 0 && files.some(({ name: path }) => path === 'config.json');
  return {
    ...name,
    license: licenseOf(json?.['cardData'] as Record<string, unknown> | null | undefined),
    hasCheckpoint,
    checkpointBytes: hasCheckpoint ? tensorFiles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) : 0,
    ggufFiles,
    paths: files.map(({ name: path }) => path),
    proposed: propose(ggufFiles),
  };
}

/** Licences without an identifier of the hub are `other`, and have their name beside it. */
function licenseOf(card: Record<string, unknown> | null | undefined): string | undefined {
  const { license, license_name: ownName } = card ?? {};
  const named = license === 'other' && typeof ownName === 'string' ? ownName : license;
  return typeof named === 'string' ? named : undefined;
}

function refused({ repo, revision }: HubName, hubUrl: string, status: number): AtomoeError {
  if (status === 401 || status === 403 || status === 404) {
    return new AtomoeError(
      'bad-file',
      `${hubUrl} has no model ${repo} of revision ${revision}, or not for everybody (${status}); check the name, or give ` +
        "headers: { authorization: 'Bearer ...' }",
    );
  }
  return new AtomoeError(
    'network',
    `${hubUrl} refused to list the files of ${repo} (${status}); try again later`,
  );
}

const PART = /-(\d{5})-of-(\d{5})\.gguf$/i;
/** Other parts of multimodal models, which hold no language model. */
const ACCESSORY = /(^|\/)mmproj/i;

/** GGUF files, largest first; parts are added up. */
function ggufOf(files: readonly { readonly name: string; readonly sizeBytes: number }[]): HubFile[] {
  const sizes = new Map<string, number>();
  for (const { name, sizeBytes } of files) {
    if (!/\.gguf$/i.test(name) || ACCESSORY.test(name)) continue;
    const first = name.replace(PART, '-00001-of-$2.gguf');
    sizes.set(first, (sizes.get(first) ?? 0) + sizeBytes);
  }
  return [...sizes]
    .map(([name, sizeBytes]) => ({ name, sizeBytes, quantisation: quantisationOf(name) }))
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.name < b.name ? -1 : 1));
}

/** The quantisation in a file's name: `model-Q4_K_M.gguf`, `model.IQ4_XS.gguf`, `model-mxfp4-00001-of-00002.gguf`. */
function quantisationOf(name: string): string | undefined {
  const found =
    /(?:^|[-._/])((?:UD-)?(?:[IT]?Q\d(?:_[A-Z0-9]+)*|MXFP4(?:_[A-Z]+)?|NVFP4|BF16|F16|F32))(?=[-.])/i.exec(
      name.replace(PART, '.gguf'),
    );
  return found?.[1]?.toUpperCase();
}

/** Good quality for its size first: about 4.5 bits, then more, then fewer. Those that cannot be read are not here. */
const PREFERRED = [
  ...[
    'Q4_K_M',
    'MXFP4',
    'MXFP4_MOE',
    'NVFP4',
    'Q4_K_S',
    'UD-Q4_K_XL',
    'Q4_0',
    'IQ4_NL',
    'IQ4_XS',
    'Q4_1',
    'Q5_K_M',
    'Q5_K_S',
  ],
  ...['Q5_0', 'Q5_1', 'Q6_K', 'Q3_K_M', 'Q3_K_L', 'Q3_K_S', 'Q8_0', 'Q2_K'],
  ...['BF16', 'F16', 'F32'],
  ...[
    'IQ3_M',
    'IQ3_S',
    'IQ3_XS',
    'IQ3_XXS',
    'IQ2_M',
    'IQ2_S',
    'IQ2_XS',
    'IQ2_XXS',
    'IQ1_M',
    'IQ1_S',
    'TQ2_0',
    'TQ1_0',
  ],
];

function propose(files: readonly HubFile[]): HubFile | undefined {
  for (const wanted of PREFERRED) {
    const found = files.find(({ quantisation }) => quantisation === wanted);
    if (found) return found;
  }
  return files.find(({ quantisation }) => quantisation === undefined);
}
