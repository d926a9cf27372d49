/**
 * `npm run build`: the npm package in dist/npm (or the folder that is named), one bundle with everything in it. What is rarely
 * needed (each cloud's SDK, each format of the report) lies in a chunk of its own that is read when it is asked for, so that
 * starting costs little.
 */
import { spawnSync } from 'node:child_process'
import { chmod, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import { checks } from '../checks/index.ts'
import { configurationSchema } from '../src/configuration/schema.ts'
import { reportSchema } from '../src/schema.ts'
import { licencesOf } from './licences.ts'
import { writePages } from './pages.ts'

const root = join(import.meta.dirname, '..')
const out = resolve(process.argv[2] ?? join(root, 'dist/npm'))

interface Manifest {
  readonly name: string
  readonly version: string
  readonly [key: string]: unknown
}

/** What nobody who installs the package needs: it has no dependencies left, and no scripts of this folder. */
const published = ({ scripts, devDependencies, dependencies, allowScripts, private: own, ...kept }: Manifest) => ({
  ...kept,
  bin: { [kept.name]: 'lib/bin.js' },
  exports: {
    '.': { types: './lib/types/src/index.d.ts', default: './lib/index.js' },
    './schema/report.json': './schema/report.json',
    './schema/configuration.json': './schema/configuration.json',
    './package.json': './package.json',
  },
  types: './lib/types/src/index.d.ts',
  files: ['lib', 'schema', 'checks', 'README.md', 'CHANGELOG.md', 'LICENSE', 'THIRD-PARTY-LICENCES.md'],
})

const bundle = async (version: string): Promise<ReadonlySet<string>> => {
  const build = await rolldown({
    cwd: root,
    input: { bin: 'src/bin.js', index: 'src/index.ts' },
    platform: 'node',
    external: /^node:/,
    plugins: [
      {
        name: 'version',
        // The version stands in the code: no file is read for it, and none can be missing.
        load: (id) =>
          id === join(root, 'src/version.ts') ? `export const version = ${JSON.stringify(version)}` : null,
      },
    ],
    onLog(level, log, handle) {
      // A package asks for an optional part by eval and does without it; a list that names its own reader is in one chunk with it.
      if (level === 'warn' && (log.code === 'EVAL' || log.code === 'INEFFECTIVE_DYNAMIC_IMPORT')) return
      handle(level, log)
    },
  })
  const { output } = await build.write({
    dir: join(out, 'lib'),
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
  })
  await build.close()
  await chmod(join(out, 'lib/bin.js'), 0o755)
  const modules = output.flatMap((chunk) => (chunk.type === 'chunk' ? Object.keys(chunk.modules) : []))
  return new Set(modules.filter((id) => id.includes('node_modules')))
}

const declarations = async (): Promise<void> => {
  const types = join(out, 'lib/types')
  const project = join(root, 'packaging')
  const ran = spawnSync('npx', ['tsc', '--project', project, '--outDir', types], { cwd: root, encoding: 'utf8' })
  if (ran.status !== 0) throw new Error(`declarations failed:\n${ran.stdout}${ran.stderr}`)
  // The compiler leaves the extension of a source in a declaration, where readers look for the one of a script.
  for (const entry of await readdir(types, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace(/((?:from|import)\s*\(?\s*['"]\.{1,2}\/[^'"]+)\.ts(['"])/g, '$1.js$2'))
  }
}

const main = async (): Promise<void> => {
  await rm(out, { recursive: true, force: true })
  await mkdir(join(out, 'schema'), { recursive: true })
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest
  const modules = await bundle(manifest.version)
  await declarations()
  const json = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`
  await writeFile(join(out, 'package.json'), json(published(manifest)))
  await writeFile(join(out, 'schema/report.json'), json(reportSchema(checks)))
  await writeFile(join(out, 'schema/configuration.json'), json(configurationSchema(checks)))
  await writeFile(join(out, 'THIRD-PARTY-LICENCES.md'), await licencesOf(modules))
  await writePages(join(out, 'checks'))
  for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) await cp(join(root, file), join(out, file))
  console.log(`${manifest.name} ${manifest.version}: ${relative(root, out)}`)
}

await main()
