/** The models that are kept on this device: what they take, and buttons that delete them or keep them permanently. */
import type { DiskReport } from '../src/engine/api.ts';
import { formatBytes, formatPart } from '../src/element/index.ts';
import { problemOf } from '../src/element/state.ts';
import { button, element } from './notices.ts';
import { sourceName } from './sources.ts';
import { deleteKept, keepForGood, readKept, type Kept, type StoredModel } from './storage.ts';

export interface KeptParts {
  readonly list: HTMLElement;
  readonly total: HTMLElement;
  readonly keep: HTMLButtonElement;
  readonly disk: HTMLElement; // why the model in use is not kept
  readonly note: HTMLElement; // what came of a button
}

/** The engine looks into a model for a moment when the page opens, and has it locked until then. */
const RETRIES = 6;

/** The list follows what arrives, but not every piece of it. */
const REFRESH_MS = 2000;

/** The model in use, which is locked until it is let go. */
export interface KeptHost {
  /** Whether there is one, chosen or not. */
  holds(): boolean;
  unload(): void;
}

export class KeptView {
  readonly #parts: KeptParts;
  readonly #host: KeptHost;
  readonly #rows = new Map<string, { row: HTMLElement; size: HTMLElement }>(); // by key
  #current: DiskReport | undefined; // of the model in use
  #heldKey: string | undefined; // of the model that was used last
  #isReading = false;
  #readAtMs = 0;
  #isStale = false;

  constructor(parts: KeptParts, host: KeptHost) {
    this.#parts = parts;
    this.#host = host;
    parts.keep.addEventListener('click', () => this.#keep());
  }

  /** What the engine says of the model in use. */
  hear(disk: DiskReport | undefined): void {
    const isMore = disk?.storedBytes !== this.#current?.storedBytes;
    this.#current = disk;
    this.#heldKey = disk?.key ?? this.#heldKey;
    const isDone = disk?.storedBytes === disk?.totalBytes;
    if (isMore && (isDone || performance.now() - this.#readAtMs > REFRESH_MS)) this.refresh();
    const { disk: line } = this.#parts;
    const why = disk?.why ?? '';
    const sentence = why && `The model in use is not kept here: ${why}.`.replace(/\.\.$/, '.');
    if (line.textContent !== sentence) line.textContent = sentence;
    line.hidden = why === '';
  }

  /** Reads the list anew; calls that come while it is being read end in one more reading. */
  refresh(): void {
    this.#isStale = true;
    if (!this.#isReading) void this.#read();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    while (this.#isStale) {
      this.#isStale = false;
      this.#readAtMs = performance.now();
      try {
        this.#show(await readKept());
      } catch (error) {
        this.#parts.total.textContent = problemOf(error).message;
        this.#parts.keep.hidden = true;
      }
    }
    this.#isReading = false;
  }

  #show({ models, usageBytes, quotaBytes, isPersistent }: Kept): void {
    const { list, total, keep } = this.#parts;
    const keys = new Set(models.map(({ key }) => key));
    let hadFocus = false;
    for (const [key, { row }] of this.#rows) {
      if (keys.has(key)) continue;
      hadFocus ||= row.contains(document.activeElement);
      row.remove();
      this.#rows.delete(key);
    }
    for (const model of models) this.#showModel(model);
    list.hidden = models.length === 0;
    keep.hidden = isPersistent || models.length === 0;
    const of = quotaBytes === undefined ? '' : `; this browser allows ${formatBytes(quotaBytes)}`;
    const kept = isPersistent ? ' It stays until you delete it.' : '';
    const nothing =
      quotaBytes === 0
        ? 'Nothing: this browser keeps no files of the page, and each visit downloads its model anew.'
        : 'Nothing yet. A model that comes over the network stays here for the next visit.';
    total.textContent =
      models.length === 0 ? nothing : `${formatBytes(usageBytes)} with the page itself${of}.${kept}`;
    // The button that was pressed is gone; better here than nowhere.
    if (hadFocus) (list.querySelector('button') ?? total).focus();
  }

  /** A row keeps its button, so that the focus stays where it is. */
  #showModel(model: StoredModel): void {
    const entry = this.#rows.get(model.key) ?? this.#addRow(model);
    const size = describeSize(this.#newest(model));
    if (entry.size.textContent !== size) entry.size.textContent = size;
  }

  /** Of the model in use the engine knows more than the disk says: what it wrote may not be on its list yet. */
  #newest(model: StoredModel): StoredModel {
    const current = this.#current;
    if (!current || current.key !== model.key || current.storedBytes <= model.storedBytes) return model;
    const { storedBytes, totalBytes } = current;
    return { ...model, storedBytes, totalBytes, isComplete: storedBytes >= totalBytes };
  }

  #addRow({ key, label }: StoredModel): { row: HTMLElement; size: HTMLElement } {
    const name = label === '' ? 'A model without a name' : sourceName(label);
    const title = element('span', '', name);
    const size = element('span', 'quiet');
    title.title = label;
    const remove = button('Delete', () => void this.delete(key, name), 'quiet-button');
    remove.setAttribute('aria-label', `Delete ${name} from this device`);
    const entry = { row: element('li', '', title, size, remove), size };
    this.#parts.list.append(entry.row);
    this.#rows.set(key, entry);
    return entry;
  }

  /** Deletes a model; the one in use is unloaded first. What came of it is said below the list. */
  async delete(key: string, name: string): Promise<void> {
    const isInUse = this.#heldKey === key && this.#host.holds();
    if (isInUse) this.#host.unload();
    try {
      await deleteKept(key, RETRIES);
      this.#say(`${name} was ${isInUse ? 'unloaded and ' : ''}deleted from this device.`);
    } catch (error) {
      this.#say(problemOf(error).message);
    }
    this.refresh();
  }

  /** Nothing waits for the answer: a browser may ask the visitor first. */
  #keep(): void {
    this.#say('Asking the browser…');
    void keepForGood().then((isKept) => {
      this.#say(
        isKept
          ? 'The browser keeps these models until you delete them.'
          : 'The browser did not agree to keep them: it may delete these models when the disk is nearly full.',
      );
      this.refresh();
    });
  }

  #say(sentence: string): void {
    this.#parts.note.textContent = sentence;
  }
}

/** Looking at a model brings its description, which is next to nothing. */
function describeSize({ storedBytes, totalBytes, isComplete }: StoredModel): string {
  if (isComplete) return formatBytes(storedBytes);
  if (storedBytes < 0.01 * totalBytes) return `only its description, ${formatBytes(storedBytes)}`;
  return formatBytes(storedBytes) === formatBytes(totalBytes)
    ? `almost all of ${formatBytes(totalBytes)}`
    : formatPart(storedBytes, totalBytes);
}
