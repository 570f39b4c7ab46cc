/** The style sheet of `<atomoe-experts>`. */
import { lazyStyleSheet } from './dom.ts';

/** The style sheet of `<atomoe-experts>`. */
export const expertSheet = lazyStyleSheet(`
:host {
  display: block;
  color-scheme: light dark;
  font: 0.8125rem/1.4 var(--atomoe-font, system-ui, sans-serif);
  color: var(--atomoe-muted, light-dark(#5f594f, #b3aa9b));
}
[hidden], :host([hidden]) { display: none !important; }
canvas { display: block; max-width: 100%; cursor: crosshair; touch-action: manipulation; }
.readout { min-height: 2.8em; margin: 0.6em 0 0; color: var(--atomoe-text, light-dark(#1f1c17, #f0ebe2)); }
.legend { display: flex; flex-wrap: wrap; gap: 0.2em 1.1em; margin: 0.6em 0 0; padding: 0; list-style: none; }
.legend li { display: flex; align-items: center; gap: 0.45em; }
.swatch { width: 0.85em; height: 0.85em; border-radius: 2px; box-shadow: 0 0 0 1px currentColor; forced-color-adjust: none; }
.cold { background: var(--atomoe-expert-cold, light-dark(#efebe3, #24211c)); }
.used { background: var(--atomoe-expert-used, light-dark(#e8d2a8, #6d4a1a)); }
.lit { background: var(--atomoe-expert-lit, light-dark(#c2410c, #ffc44d)); }
.outline { position: absolute; visibility: hidden; background: var(--atomoe-text, light-dark(#1f1c17, #f0ebe2)); }
details { margin-top: 0.6em; }
summary { cursor: pointer; min-height: 1.5rem; align-content: center; width: fit-content; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { text-align: start; padding: 0.15em 0.6em 0.15em 0; font-weight: normal; white-space: nowrap; }
thead th { color: inherit; }
button {
  font: inherit; color: var(--atomoe-text, light-dark(#1f1c17, #f0ebe2)); font-variant-numeric: tabular-nums;
  background: none; border: 0; border-radius: 4px; padding: 0.1em 0.35em; min-height: 1.5rem; min-width: 1.5rem; cursor: pointer;
}
button:hover { background: var(--atomoe-hover, light-dark(#0001, #fff2)); }
button[aria-pressed='true'] { outline: 2px solid currentColor; outline-offset: -2px; }
:focus-visible { outline: 2px solid var(--atomoe-accent, light-dark(#b3410b, #ffb84d)); outline-offset: 2px; }
@media (forced-colors: active) {
  .cold { background: Canvas; outline: 1px solid CanvasText; }
  .used { background: GrayText; }
  .lit { background: Highlight; }
  .outline { background: CanvasText; forced-color-adjust: none; }
}
`);
