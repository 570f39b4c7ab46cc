// The visitor's choice of a theme, before the first paint: a script that waits for its turn would let the other one flash up.
try {
  const theme = localStorage.getItem('atomoe:theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset['theme'] = theme;
} catch {
  // No storage here: the system's theme it is.
}
