import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/**
 * Where to look for one browser, most explicit first.
 * @typedef {object} BrowserSearch
 * @property {string} name What a person calls it.
 * @property {string} variable Environment variable that names an executable and beats everything else.
 * @property {string[]} commands Names to look up on PATH.
 * @property {string[]} paths Well-known absolute paths, all systems.
 * @property {() => string | undefined} [bundled] A copy that a package of ours brings along.
 * @property {string[]} debianPackages What `apt-get install` is asked for when nothing is found.
 */

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @param {string[]} commands */
function onPath(commands) {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const names = process.platform === 'win32' ? commands.map((command) => `${command}.exe`) : commands;
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

/** @param {BrowserSearch} search */
function locate(search) {
  const bundled = search.bundled?.();
  if (bundled !== undefined && isExecutable(bundled)) return bundled;
  return onPath(search.commands) ?? search.paths.find((path) => path !== '' && isExecutable(path));
}

/** True where apt-get exists and this user may install with it. */
function mayInstall() {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/** @param {string[]} packages */
function aptInstall(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  console.error(`installing ${packages.join(' ')} with apt-get`);
  /** @param {string[]} args */
  const apt = (args) =>
    spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  const install = ['install', '-y', '--no-install-recommends', ...packages];
  return apt(install) || (apt(['update']) && apt(install));
}

/**
 * Finds an executable, installs one where that is allowed, or says why there is none.
 * @param {BrowserSearch} search
 * @param {{ install?: boolean }} [options] `install: false` only looks.
 * @returns {{ path: string } | { missing: string }}
 */
export function findBrowser(search, { install = true } = {}) {
  const named = process.env[search.variable];
  if (named) {
    if (isExecutable(named)) return { path: named };
    return {
      missing: `${search.variable} names '${named}', which is no executable file; correct or unset it.`,
    };
  }
  const found = locate(search);
  if (found !== undefined) return { path: found };
  if (install && mayInstall() && aptInstall(search.debianPackages)) {
    const installed = locate(search);
    if (installed !== undefined) return { path: installed };
  }
  return {
    missing:
      `No ${search.name} was found; install one (Debian and Ubuntu: ` +
      `sudo apt-get install ${search.debianPackages.join(' ')}) or set ${search.variable} to its executable.`,
  };
}

/**
 * Prints the path, or the sentence on stderr with exit code 1.
 * @param {{ path: string } | { missing: string }} result
 */
export function printBrowser(result) {
  if ('path' in result) {
    console.log(result.path);
  } else {
    console.error(result.missing);
    process.exitCode = 1;
  }
}
