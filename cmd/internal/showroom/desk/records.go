package desk

// Records is what is stored, as package records does.
type Records interface{}
