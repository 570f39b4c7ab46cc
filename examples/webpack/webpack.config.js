export default {
  mode: 'production',
  entry: './main.js',
  performance: { hints: false },
  // Almost all of the bundle is the package, which is minified already: to do so again would take a minute.
  optimization: { minimize: false },
};
