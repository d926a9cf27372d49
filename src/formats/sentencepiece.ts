import { broken, complete, type Format, unknown } from './format.ts'
import { fieldsOf, lengthDelimited } from './protobuf.ts'

/** Fields of sentencepiece/src/sentencepiece_model.proto; 200 and above are for extensions. */
const trainerSpec = 2
const normalizerSpec = 3
const lastOwn = 5
const firstExtension = 200
const known = (number: number): number | undefined =>
  number <= lastOwn || number >= firstExtension ? lengthDelimited : undefined

const stringTag = 0x0a
const scoreTag = 0x15

/** Begins with its first piece: a message of a text, then its score. Cut ones match as far as they go. */
const beginsWithPiece = (head: Uint8Array): boolean => {
  const [outer, length = 0, inner, text = 0] = head
  const score = head[4 + text]
  return (
    outer === stringTag &&
    (inner === stringTag || head.length < 3) &&
    length < 128 &&
    text + 2 <= length &&
    (score === scoreTag || head.length <= 4 + text)
  )
}

/** A vocabulary with its scores; what it was trained with comes last. */
export const sentencepiece: Format = {
  id: 'sentencepiece',
  title: 'a SentencePiece model',
  names: ['.spm', '.model'],
  least: 8,
  recognises: (head, size) => size > 8 && head[4 + (head[3] ?? 0)] === scoreTag && beginsWithPiece(head),
  async judge(file) {
    if (!beginsWithPiece(file.head)) return unknown('it does not begin with a piece of a vocabulary')
    const numbers = new Set<number>()
    if ((await fieldsOf(file, known, ({ number }) => numbers.add(number))) === 'something else') {
      return unknown('it holds fields that a SentencePiece model has not')
    }
    return numbers.has(trainerSpec) || numbers.has(normalizerSpec)
      ? complete('its fields end where the file ends')
      : broken('it ends with its vocabulary, before what it was trained with')
  },
}
