import type { Rate } from './rates-table.ts'

/**
 * The share of cuts that must be noticed (broken or suspect), and of those that must be called broken, by format. The aims
 * are the rates measured with a prototype of the rules; where nothing is said, every cut must be broken.
 */
interface Threshold {
  readonly noticed: number
  readonly broken: number
}
const all: Threshold = { noticed: 1, broken: 1 }
const thresholds: Readonly<Record<string, Threshold>> = {
  // An end mark of a stream is optional, as are the blocks of zeros after a tar archive.
  'arrow-stream': { noticed: 1, broken: 0.95 },
  tar: { noticed: 0.8, broken: 0.8 },
  // What follows the core, of models with texts, has no length that the core tells.
  catboost: { noticed: 0.9, broken: 0.9 },
  // A cut inside a user block leaves zeros only; real files are up to 6 bytes longer than they say.
  hdf5: { noticed: 0.95, broken: 0.93 },
  // A scan has no length; a second picture in the same file has none that the first tells.
  jpeg: { noticed: 0.95, broken: 0.15 },
  // A number cut short is a number, lines cut at a line's end are lines.
  json: { noticed: 0.97, broken: 0.97 },
  'json-lines': { noticed: 0.8, broken: 0.8 },
  // Without the line that the Python package adds the end is known by a mark alone.
  lightgbm: { noticed: 0.99, broken: 0.95 },
  // Protocols 0 and 1 have no frames, and any byte may be their last; another pickle may follow in the same file.
  pickle: { noticed: 0.985, broken: 0.8 },
  // A cut exactly between two fields after the first opset import loses a second one, which nothing shows.
  onnx: { noticed: 0.99, broken: 0.99 },
  // A last newline.
  'package-manifest': { noticed: 0.97, broken: 0.97 },
  sqlite: { noticed: 1, broken: 0.8 },
  'tensor-bundle': { noticed: 0.99, broken: 0.99 },
  // An archive of labels may follow the model.
  tflite: { noticed: 0.9, broken: 0.9 },
  zip: { noticed: 1, broken: 0.94 },
}

export const belowThreshold = (rates: readonly Rate[]): string[] =>
  rates.flatMap(({ format, cuts, broken, suspect }) => {
    if (cuts === 0) return []
    const least = thresholds[format] ?? all
    const short = (part: number, whole: number): boolean => part / cuts < whole
    const weak = short(broken + suspect, least.noticed) || short(broken, least.broken)
    return weak
      ? [
          `${format}: of ${cuts} cuts ${broken} are broken and ${suspect} suspect, below ${least.broken} and ${least.noticed}`,
        ]
      : []
  })
