import { Trouble } from '../errors.ts'

/** Ids as MLflow itself takes them (utils/validation.py, 3.17.2): they go into URLs, file names and filter strings, so nothing else passes. */
const word = /^[a-zA-Z0-9][\w-]{0,255}$/

const refused = (noun: string): Trouble =>
  new Trouble({
    kind: 'usage',
    what: `cannot use this ${noun}`,
    why: 'an id begins with a letter or a digit and holds only letters, digits, - and _',
    todo: `Copy the ${noun} from the MLflow page or from the output of the training script`,
  })

/** @throws Trouble `usage` */
export const checkedId = (noun: 'run id' | 'model id' | 'experiment id', id: string): string => {
  if (!word.test(id)) throw refused(noun)
  return id
}

export const isModelId = (text: string): boolean => /^m-[0-9a-f]{32}$/.test(text)
export const isId = (text: string): boolean => word.test(text)

/** The name of a registered model may hold nearly anything but these (`_validate_model_name`), and travels only as a query value. */
export const checkedName = (name: string): string => {
  if (name === '' || /[/:\u0000-\u001f\u007f]/.test(name) || name === '.' || name === '..')
    throw new Trouble({
      kind: 'usage',
      what: 'cannot use this model name',
      why: 'the name of a registered model is not empty and holds no slash, colon or control character',
      todo: 'Write the target as models:/name/version or models:/name@alias',
    })
  return name
}
