// Finds or fetches a software Vulkan driver that has shader-f16 and subgroups together: Mesa's lavapipe, version 25 or
// newer. `node scripts/mesa.mjs` fetches it where it must and prints its manifest. Nothing is installed: Firefox goes on with
// the system's own Mesa.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

/** The first version that does: Debian 12's own, 22.3, lacks a feature that Dawn wants. */
const LEAST_VERSION = 25;

const DRIVER = 'mesa-vulkan-drivers';
const keptIn = resolve(import.meta.dirname, '../node_modules/.cache/atomoe-mesa');
const manifest = join(keptIn, 'lvp.json');

/**
 * The driver's manifest, for `VK_ICD_FILENAMES`: `ATOMOE_MESA`, the system's own, one that was fetched before, or a
 * fresh one from the backports of the machine's Debian.
 * @param {{ fetch?: boolean }} [options] `fetch: false` only looks.
 * @returns {{ path: string } | { missing: string }}
 */
export function findMesa({ fetch = true } = {}) {
  const named = process.env['ATOMOE_MESA'];
  if (named) {
    if (existsSync(named)) return { path: named };
    return { missing: `ATOMOE_MESA names '${named}', which is no file; correct or unset it.` };
  }
  const path = systemManifest() ?? (existsSync(manifest) ? manifest : undefined);
  if (path !== undefined) return { path };
  if (!fetch) {
    return {
      missing: `No Mesa ${LEAST_VERSION} was found; run 'node scripts/mesa.mjs' (Debian) or set ATOMOE_MESA to a manifest.`,
    };
  }
  return fetchDriver();
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} [folder]
 */
function run(command, args, folder) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', cwd: folder });
  return { isDone: status === 0, out: stdout ?? '', said: (stderr || error?.message || '').trim() };
}

/** The manifest of the Mesa that is installed, if that is new enough. */
function systemManifest() {
  const { out } = run('dpkg-query', ['--showformat=${Version}', '--show', DRIVER]);
  if (!(Number.parseInt(out, 10) >= LEAST_VERSION)) return undefined;
  const folder = '/usr/share/vulkan/icd.d';
  const name = readdirSync(folder).find((file) => /^lvp_icd.*\.json$/.test(file));
  return name === undefined ? undefined : join(folder, name);
}

/**
 * Where the machine gets its Debian from, as lines for apt with the backports beside it; undefined where it is no Debian.
 * @returns {string[] | undefined}
 */
function backportLines() {
  if (!existsSync('/etc/os-release') || !run('apt-get', ['--version']).isDone) return undefined;
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (release === undefined) return undefined;
  const { out } = run('apt-get', [
    'indextargets',
    '--format',
    '$(SITE)|$(RELEASE)|$(CODENAME)',
    'Created-By: Packages',
  ]);
  const targets = out.split('\n').map((line) => line.split('|'));
  const [site] = targets.find(([, suite, codename]) => [suite, codename].includes(release)) ?? [];
  if (!site) return undefined;
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  return [`deb ${existsSync(keys) ? `[signed-by=${keys}] ` : ''}${site} ${release}-backports main`];
}

/** @returns {{ path: string } | { missing: string }} */
function fetchDriver() {
  const lines = backportLines();
  if (!lines)
    return {
      missing: `Mesa ${LEAST_VERSION} is fetched from Debian only; set ATOMOE_MESA to the manifest of yours.`,
    };
  const state = join(keptIn, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(state, folder), { recursive: true });
  writeFileSync(join(state, 'sources.list'), lines.join('\n') + '\n');
  // Lists and packages of its own: what the machine installs from stays as it is.
  const options = {
    'Dir::Etc::SourceList': join(state, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(state, 'lists'),
    'Dir::Cache': join(state, 'cache'),
    'APT::Sandbox::User': 'root', // apt's own user may not write here
  };
  const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const suite = /[\w-]+-backports/.exec(lines.at(-1) ?? '')?.[0];
  console.error(`fetching ${DRIVER} from ${suite}`);
  for (const args of [
    ['update', '-q'],
    ['download', '-q', `${DRIVER}/${suite}`],
  ]) {
    const { isDone, said } = run('apt-get', [...settings, ...args], keptIn);
    if (!isDone) return { missing: `apt-get ${args.join(' ')} failed: ${said.slice(0, 500)}` };
  }
  return unpack();
}

/** @returns {{ path: string } | { missing: string }} */
function unpack() {
  const packed = readdirSync(keptIn).find((name) => name.startsWith(DRIVER) && name.endsWith('.deb'));
  const root = join(keptIn, 'root');
  const { isDone, said } = run('dpkg-deb', ['--extract', join(keptIn, packed ?? ''), root]);
  const library = isDone ? findLibrary(join(root, 'usr/lib')) : undefined;
  if (library === undefined) return { missing: `${packed ?? DRIVER} holds no lavapipe: ${said}` };
  const linked = run('ldd', [library]).out;
  const absent = linked.match(/\S+(?= => not found)/g);
  if (absent)
    return {
      missing: `${library} needs ${absent.join(', ')}; install mesa-vulkan-drivers, which brings them.`,
    };
  const content = { file_format_version: '1.0.0', ICD: { library_path: library, api_version: '1.3.0' } };
  writeFileSync(manifest, JSON.stringify(content));
  rmSync(join(keptIn, 'apt'), { recursive: true });
  return { path: manifest };
}

/** @param {string} folder */
function findLibrary(folder) {
  const name = readdirSync(folder, { recursive: true }).find((file) =>
    String(file).endsWith('libvulkan_lvp.so'),
  );
  return name === undefined ? undefined : join(folder, String(name));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const result = findMesa();
  if ('path' in result) {
    console.log(result.path);
  } else {
    console.error(result.missing);
    process.exitCode = 1;
  }
}
