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

/** Makes the style sheet when the first element needs it; all of them share it. */
export function lazyStyleSheet(css: string): () => CSSStyleSheet {
  let sheet: CSSStyleSheet | undefined;
  return () => {
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(css);
    }
    return sheet;
  };
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
