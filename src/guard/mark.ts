/** How a command's runs are known afterwards: MLflow adds the JSON of this variable to the tags of every run that it begins (tracking/context/system_environment_context.py, 3.17.2). */

const variable = 'MLFLOW_RUN_CONTEXT'
export const markTag = 'mlflow_doctor.guard'

const given = (text: string | undefined): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {}
  } catch {
    return {}
  }
}

/** The environment with the mark beside whatever the user has put there. */
export const marked = (
  env: Readonly<Record<string, string | undefined>>,
  mark: string,
): Readonly<Record<string, string | undefined>> => ({
  ...env,
  [variable]: JSON.stringify({ ...given(env[variable]), [markTag]: mark }),
})
