/** The theme switch: the system's theme, or one that is remembered. `public/theme.js` applies it before the first paint. */

const KEY = 'atomoe:theme'; // theme.js reads it, too

/** Wires radio buttons whose values are `system`, `light` and `dark`. */
export function wireTheme(field: HTMLElement): void {
  const remembered = readTheme();
  setTheme(remembered); // without a network there may be no theme.js
  for (const input of field.querySelectorAll('input')) {
    input.checked = input.value === remembered;
    input.addEventListener('change', () => {
      setTheme(input.value);
      storeTheme(input.value);
    });
  }
}

function setTheme(theme: string): void {
  const { dataset } = document.documentElement;
  if (theme === 'system') delete dataset['theme'];
  else dataset['theme'] = theme;
}

function readTheme(): string {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === 'light' || theme === 'dark' ? theme : 'system';
  } catch {
    return 'system'; // no storage here
  }
}

function storeTheme(theme: string): void {
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // A window without storage forgets the choice with the page.
  }
}
