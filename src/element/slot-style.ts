/** The style sheet of `<atomoe-slots>`. The swatches of the legend hold the colours, and the shapes once more. */
import { lazyStyleSheet } from './dom.ts';

/** The style sheet of `<atomoe-slots>`. */
export const slotSheet = lazyStyleSheet(`
:host {
  display: block;
  color-scheme: light dark;
  font: 0.8125rem/1.4 var(--atomoe-font, system-ui, sans-serif);
  color: var(--atomoe-muted, light-dark(#5f594f, #b3aa9b));
}
[hidden], :host([hidden]) { display: none !important; }
canvas { display: block; max-width: 100%; }
.legend { display: flex; flex-wrap: wrap; gap: 0.2em 1.1em; margin: 0.6em 0 0; padding: 0; list-style: none; }
.legend li { display: flex; align-items: center; gap: 0.45em; }
.swatch { box-sizing: border-box; width: 0.7em; height: 1em; box-shadow: 0 0 0 1px currentColor; forced-color-adjust: none; background: var(--_absent); }
:host {
  --_absent: var(--atomoe-expert-cold, light-dark(#e9e3d8, #2b2721));
  --_resident: var(--atomoe-slot-resident, light-dark(#d9541a, #ffb84d));
  --_loading: var(--atomoe-slot-loading, light-dark(#2c5fb3, #8fb2f2));
  --_predicted: var(--atomoe-slot-predicted, light-dark(#2a6b57, #7fd0b4));
  --_evicted: var(--atomoe-muted, light-dark(#5f594f, #b3aa9b));
}
.absent { color: var(--_absent); }
.resident { color: var(--_resident); background: currentColor; }
.loading { color: var(--_loading); background: linear-gradient(var(--_absent) 50%, currentColor 50%); }
.predicted { color: var(--_predicted); border: 2px solid; }
.evicted { color: var(--_evicted); background: linear-gradient(var(--_absent) 38%, currentColor 38% 62%, var(--_absent) 62%); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9em, 1fr)); gap: 0.4em 1em; margin: 0.7em 0 0; }
dt { line-height: 1.3; }
dd { margin: 0; font-size: 1.0625rem; color: var(--atomoe-text, light-dark(#1f1c17, #f0ebe2)); font-variant-numeric: tabular-nums; }
.readout { margin: 0.6em 0 0; color: var(--atomoe-text, light-dark(#1f1c17, #f0ebe2)); }
details { margin-top: 0.6em; }
summary { cursor: pointer; min-height: 1.5rem; align-content: center; width: fit-content; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: end; padding: 0.15em 1.2em 0.15em 0; font-weight: normal; white-space: nowrap; }
th:first-child { text-align: start; }
:focus-visible { outline: 2px solid var(--atomoe-accent, light-dark(#b3410b, #ffb84d)); outline-offset: 2px; }
@media (forced-colors: active) {
  :host { --_absent: Canvas; --_resident: Highlight; --_loading: CanvasText; --_predicted: CanvasText; --_evicted: GrayText; }
  .swatch { outline: 1px solid GrayText; }
}
`);
