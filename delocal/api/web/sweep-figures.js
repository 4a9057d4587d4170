/** The figures that the service draws of a sweep. */

export async function figures() {}
