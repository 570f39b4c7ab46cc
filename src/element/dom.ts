/** The little DOM that the elements need: no templates, no HTML strings, nothing that a strict page forbids. */

type Child = Node | string | undefined;
type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** Makes an element; `true` is an empty attribute, `false` and `undefined` are none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** A base class that exists in plain Node too, so that importing an element on a server does no harm. */
export const ElementBase: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/**
 * A style sheet, made when the first element of a document needs it; all of that document share it. A sheet belongs to
 * its document: an element that moves into another one (a frame, a picture-in-picture window) loses it and takes that one's.
 */
export function lazyStyleSheet(css: string): (root: ShadowRoot) => void {
  const sheets = new WeakMap<Document, CSSStyleSheet>();
  return (root) => {
    const { ownerDocument } = root;
    const view = ownerDocument.defaultView;
    if (!view) return; // nothing is shown there
    let sheet = sheets.get(ownerDocument);
    if (!sheet) {
      sheet = new view.CSSStyleSheet();
      sheet.replaceSync(css);
      sheets.set(ownerDocument, sheet);
    }
    if (!root.adoptedStyleSheets.includes(sheet))
      root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
  };
}

/** Whether a boolean attribute of this value is on. Frameworks write `="false"` for what they do not know to be a property. */
export function isOn(value: string | null): boolean {
  return value !== null && value.toLowerCase() !== 'false';
}

/** Writes a property into the attribute of its name. */
export function reflect(element: Element, name: string, value: string | boolean | null | undefined): void {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? '' : value);
}

/** Properties that were set before the element was defined hide its accessors; sets them again through these. */
export function upgradeProperties(element: Element, names: readonly string[]): void {
  for (const name of names) {
    if (!Object.hasOwn(element, name)) continue;
    const value: unknown = Reflect.get(element, name);
    Reflect.deleteProperty(element, name);
    Reflect.set(element, name, value);
  }
}

/** Runs `paint` once in the next frame, however often it is asked. */
export function oncePerFrame(paint: (timeMs: number) => void): { request(): void; cancel(): void } {
  let handle = 0;
  return {
    request() {
      handle ||= requestAnimationFrame((timeMs) => {
        handle = 0;
        paint(timeMs);
      });
    },
    cancel() {
      cancelAnimationFrame(handle);
      handle = 0;
    },
  };
}

/** Enter that sends: while an input method composes, it chooses a candidate; 229 is how older WebKit says so. */
export function isPlainEnter(event: KeyboardEvent): boolean {
  return event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229;
}

/** The element that has the focus in the tree of a node. */
export function activeIn(node: Node): Element | null {
  const root = node.getRootNode();
  return root instanceof ShadowRoot || root instanceof Document ? root.activeElement : null;
}

/** @returns whether the text is on the clipboard; pages in frames may be forbidden to write there */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
