module custody

go 1.25.0
