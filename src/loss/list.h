/* LOSS(KIND, function, name, what it answers, outputs of a target, about); LOSS_KIND in the code, the name in files.
   0 outputs of a target: one for each quantile level. */
LOSS(SOFTMAX, categorical, "cross-entropy", LOSS_OF_CLASSES, 1,
     "softmax cross entropy: minus the log of the probability of the right symbol")
LOSS(CRF, categorical, "crf", LOSS_OF_CLASSES, 1,
     "minus the log of the probability of all classes of a sequence together: of networks that end in crf")
LOSS(SQUARED, squared, "squared", LOSS_OF_NUMBERS, 1, "squared error; its best answer is the mean")
LOSS(BERNOULLI, bernoulli, "bernoulli", LOSS_OF_SHARES, 1,
     "cross entropy of a logistic function of each output; targets from 0 to 1")
LOSS(ABSOLUTE, absolute, "absolute", LOSS_OF_NUMBERS, 1, "absolute error; its best answer is the median")
LOSS(HUBER, huber, "huber", LOSS_OF_NUMBERS, 1, "half the squared error near the target, absolute far off (Huber 1964)")
LOSS(PINBALL, pinball, "pinball", LOSS_OF_NUMBERS, 0,
     "quantiles: an output for each level of each target (Koenker & Bassett 1978)")
LOSS(GAUSSIAN, gaussian, "gaussian", LOSS_OF_NUMBERS, 2, "normal distribution: mean and softplus of the scale")
LOSS(STUDENT_T, student_t, "student-t", LOSS_OF_NUMBERS, 3,
     "Student's t distribution, for heavy tails: location, scale, degrees of freedom above 2")
LOSS(NEGATIVE_BINOMIAL, negative_binomial, "negative-binomial", LOSS_OF_COUNTS, 2,
     "negative binomial distribution of counts: mean and dispersion (Salinas et al. 2020)")
