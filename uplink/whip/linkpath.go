package whip

// LinkPath returns the path of what is behind a link of the 201, unescaped; "" where
// there is no such link, or it leads to an origin that is not trusted.
func (s *Session) LinkPath(rel string) string {
	u, err := s.link(rel)
	if u == nil || err != nil {
		return ""
	}
	return u.Path
}
