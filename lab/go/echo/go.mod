module octroi.test/lab/echo

go 1.26.0
