import { ended, type Format, unknown } from './format.ts'

const newline = 0x0a

/**
 * The texts that MLflow writes beside a model. A text has no mark of its end, so this is as much as can be told: YAML is
 * written with a newline at its end, requirements.txt without (utils/environment.py, MLflow 3.17.2). What a cut MLmodel no
 * longer says, the parser of MLmodel finds missing.
 */
export const modelText: Format = {
  id: 'model-text',
  title: "one of MLflow's own texts",
  names: ['mlmodel', 'conda.yaml', 'python_env.yaml', 'requirements.txt'],
  least: 0,
  recognises: () => false,
  judge: async ({ head, tail }, name) => {
    if (head.includes(0) || tail.includes(0)) return unknown('it is no text')
    const closed = tail.at(-1) === newline || name.toLowerCase() === 'requirements.txt'
    return closed ? ended('it is a text') : unknown('its last line has no end, which may be meant')
  },
}
