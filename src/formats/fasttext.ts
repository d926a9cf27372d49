import { u32le } from './bytes.ts'
import { type Format, unknown } from './format.ts'

/** fasttext/src/fasttext.cc, FASTTEXT_FILEFORMAT_MAGIC_INT32. */
const mark = 793_712_314
const firstVersion = 11
const lastVersion = 12

/** Matrices that follow one another; which ones depends on how the model was trained and quantised. */
export const fasttext: Format = {
  id: 'fasttext',
  title: 'a model of fastText',
  names: ['.ftz'],
  least: 8,
  recognises: (head) => u32le(head, 0) === mark && u32le(head, 4) >= firstVersion && u32le(head, 4) <= lastVersion,
  judge: async () => unknown('it does not tell its own length'),
}
