// Finds or fetches a software Vulkan driver that has shader-f16 and subgroups together: Mesa's lavapipe, version 25 or
// newer. `node scripts/mesa.mjs` fetches it where it must and prints its manifest. Nothing is installed: Firefox continues with
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

const KEYS = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * The line for apt that adds a release's backports, from the same place as the release itself.
 * @param {string} targets what `apt-get indextargets` says: site, suite and code name, a line each
 * @param {string} release the code name
 * @param {string} [options] of the line
 * @returns {string | undefined} undefined where none of the machine's sources has the release
 */
export function backportsLine(targets, release, options = '') {
  const sources = targets.split('\n').map((line) => line.split('|'));
  const [site] = sources.find(([, suite, codename]) => [suite, codename].includes(release)) ?? [];
  return site ? `deb ${options}${site} ${release}-backports main` : undefined;
}

/**
 * Runs apt-get with lists and packages of its own: what the machine installs from stays as it is.
 * @param {string[]} args
 * @param {Record<string, string>} [more] options
 */
function apt(args, more = {}) {
  const state = join(keptIn, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(state, folder), { recursive: true });
  }
  const options = {
    'Dir::State::Lists': join(state, 'lists'),
    'Dir::Cache': join(state, 'cache'),
    'APT::Sandbox::User': 'root', // apt's own user may not write here
    ...more,
  };
  const settings = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return run('apt-get', [...settings, ...args], keptIn);
}

/** Where the machine gets its Debian from; undefined where it is no Debian. */
function ownBackportsLine() {
  if (!existsSync('/etc/os-release') || !run('apt-get', ['--version']).isDone) return undefined;
  const release = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (release === undefined) return undefined;
  apt(['update', '-q']); // apt reports only sources whose lists it has; one that fails is one that we do not want
  const { out } = apt(['indextargets', '--format', '$(SITE)|$(RELEASE)|$(CODENAME)', 'Created-By: Packages']);
  return backportsLine(out, release, existsSync(KEYS) ? `[signed-by=${KEYS}] ` : '');
}

/** @returns {{ path: string } | { missing: string }} */
function fetchDriver() {
  const line = ownBackportsLine();
  const suite = /[\w-]+-backports/.exec(line ?? '')?.[0];
  if (line === undefined) {
    return {
      missing: `Mesa ${LEAST_VERSION} is fetched from Debian only; set ATOMOE_MESA to the manifest of yours.`,
    };
  }
  console.error(`fetching ${DRIVER} from ${suite}`);
  const list = join(keptIn, 'apt/sources.list');
  writeFileSync(list, `${line}\n`);
  const source = { 'Dir::Etc::SourceList': list, 'Dir::Etc::SourceParts': '/dev/null' };
  for (const args of [
    ['update', '-q'],
    ['download', '-q', `${DRIVER}/${suite}`],
  ]) {
    const { isDone, said } = apt(args, source);
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
