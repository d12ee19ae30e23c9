/** Which Node.js makercast runs on. Nothing here is newer than Node 12, so that an old one still reads it and says so. */

/** The same as `engines` in package.json. */
const oldest = [20, 19];

/**
 * One line that says what is wrong with this version of Node.js and what to do, or '' when it will do.
 * @param {string} version
 * @param {string} execPath
 */
export function nodeProblem(version, execPath) {
  const [major, minor] = version.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return '';
  return (
    `makercast needs Node.js ${oldest.join('.')} or newer (24 is best, on 32-bit ARM 22); ${execPath} is ${version}.` +
    " Debian 12's own package is too old, Debian 13's is not: install Node.js 24 from nodejs.org or with nvm, then start again."
  );
}
