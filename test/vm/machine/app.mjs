/** makercast itself for the guest: what was compiled, its production packages and this Node.js, packed anew for each run. */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../../setup/ready.mjs';
import { packImage } from './image.mjs';
import { appFolder } from './root.mjs';

/** Of the checkout, beside the packages. `setup/` and `test/vm/guest/` hold what starts the tests in there. */
const parts = ['package.json', 'dist', 'bin', 'setup', 'test/vm/guest', 'test/fixtures'];

/** Folders of packages that are not only for development, as the lock file has them. */
function production() {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  return Object.keys(packages).filter(
    (name) => name !== '' && !packages[name].dev && existsSync(path.join(root, name)),
  );
}

/**
 * Writes `folder`/app.img; `orders` (any JSON) is what the guest finds as bench.json.
 * @param {string} folder
 * @param {unknown} orders
 */
export async function packApp(folder, orders) {
  const layer = path.join(folder, 'layer');
  const app = path.join(layer, appFolder);
  mkdirSync(path.join(layer, 'usr/local/bin'), { recursive: true });
  cpSync(realpathSync(process.execPath), path.join(layer, 'usr/local/bin/node'));
  for (const part of [...parts, ...production()])
    cpSync(path.join(root, part), path.join(app, part), { recursive: true, verbatimSymlinks: true });
  writeFileSync(path.join(app, 'bench.json'), JSON.stringify(orders));
  const image = path.join(folder, 'app.img');
  await packImage(layer, image);
  return image;
}
